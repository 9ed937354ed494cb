/** Kysely by one door, which the build makes one file: as 260 modules it takes as long to load as half of Sluice (src/DECISIONS.md). */
export * from 'kysely';
