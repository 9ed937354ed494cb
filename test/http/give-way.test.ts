import { expect } from 'chai';
import { createGiveWay } from '../../src/http/give-way.js';

describe('giving way to new connections', () => {
  function rig() {
    const turns: (() => void)[] = [];
    const begun: number[] = [];
    const giveWay = createGiveWay(2, (then) => void turns.push(then));
    return {
      giveWay,
      begun,
      turns,
      begin: (...names: number[]) => {
        for (const name of names) giveWay.begin(() => void begun.push(name));
      },
      turn: () => turns.shift()?.(),
    };
  }

  it('begins requests at once while no connection arrives', () => {
    const { begin, begun, turns } = rig();
    begin(1, 2, 3);
    expect(begun).to.deep.equal([1, 2, 3]);
    expect(turns).to.deep.equal([]);
  });

  it('begins a few in each turn in which a connection has arrived, in order', () => {
    const { giveWay, begin, begun, turn } = rig();
    giveWay.arrived();
    begin(1, 2, 3, 4, 5);
    expect(begun).to.deep.equal([]);
    turn();
    expect(begun).to.deep.equal([1, 2]);
    giveWay.arrived();
    begin(6);
    turn();
    expect(begun).to.deep.equal([1, 2, 3, 4]);
  });

  it('begins all that is held after a turn without a new connection, and rests', () => {
    const { giveWay, begin, begun, turn, turns } = rig();
    giveWay.arrived();
    begin(1, 2, 3, 4, 5);
    turn();
    turn();
    expect(begun).to.deep.equal([1, 2, 3, 4, 5]);
    expect(turns).to.deep.equal([]);
    begin(6);
    expect(begun).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('waits for one turn at a time, however many arrive', () => {
    const { giveWay, begin, begun, turn, turns } = rig();
    giveWay.arrived();
    giveWay.arrived();
    expect(turns).to.have.length(1);
    turn();
    giveWay.arrived();
    expect(turns).to.have.length(1);
    turn();
    turn();
    expect(turns).to.deep.equal([]);
    begin(1);
    expect(begun).to.deep.equal([1]);
  });
});
