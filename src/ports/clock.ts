/** Time as the cores and checks see it. Protocol time is monotonic; wall time is for people and calendars only. */
export interface Clock {
  /** Monotonic microseconds from an arbitrary start, whole. */
  nowUs(): number;
  /** Wall clock, milliseconds since 1970 UTC. */
  wallMs(): number;
}

/** One timer, armed for a monotonic instant; arming again replaces it. Fires at or after the instant, never before. */
export interface Alarm {
  arm(atUs: number): void;
  disarm(): void;
  /** Disarms for good and gives back what the alarm holds. */
  close(): void;
}

export interface AlarmFactory {
  create(onDue: () => void): Alarm;
}
