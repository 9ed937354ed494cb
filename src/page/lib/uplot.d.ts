/** `/assets/page/lib/uplot.js`: uPlot as it is published. */
export { default } from 'uplot';
