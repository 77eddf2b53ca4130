/**
 * What a plain sketch in one thread took on the quiet machine of two cores where the aims were set, whose disk made one durable file in
 * `create` milliseconds. By that its figures are scaled to other disks. A floor that is slower would flatter us, so the faster of both counts.
 */
const sketch = { create: 0.58, publish: { 256: 3.7, 16384: 24.5 }, writers: 5_600 } as const

export type Bins = keyof typeof sketch.publish

/** Milliseconds for one publish, where the disk takes `create` milliseconds for a durable file. */
export function publishBearing(bins: Bins, create: number): number {
  return (sketch.publish[bins] * create) / sketch.create
}

/** Durable files that 16 writers make in a second, on such a disk. */
export function writersBearing(create: number): number {
  return (sketch.writers * sketch.create) / create
}
