/** Grafana's names of the units that the dashboards use. */
export {
  BytesIEC as Bytes,
  PercentUnit,
  RequestsPerSecond,
  Seconds,
  Short as Count,
} from '@grafana/grafana-foundation-sdk/units';
export const JobsPerSecond = 'suffix: jobs/s';
export const MessagesPerSecond = 'suffix: msg/s';
