/** TypeBox by one door, which the build makes one file: as 190 modules it takes as long to load as half of Sluice (src/DECISIONS.md). */
export { default as Type } from 'typebox';
