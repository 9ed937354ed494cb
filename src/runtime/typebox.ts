/** TypeBox by one door, which the build makes one file: as 190 modules it takes a third of the time in which a process loads (src/DECISIONS.md). */
export { default as Type } from 'typebox';
