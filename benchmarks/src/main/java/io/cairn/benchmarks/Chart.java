// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;

/**
 * Ratios as horizontal bars, with a line where Cairn takes as much as its reference and a mark at
 * most wanted: SVG, the same for the same figures, to be read on light and dark pages.
 */
final class Chart {

  private static final int WIDTH = 1040;
  private static final int LEFT = 400;
  private static final int RIGHT = 660;
  private static final int TOP = 64;
  private static final int ROW = 26;
  private static final int BAR = 12;

  // A bar of more, or less, than so many powers of two ends at the edge: its number says the rest.
  private static final double LONGEST_LOG = 6;

  private static final String STYLE =
      """
      <style>
        text { font: 12px system-ui, sans-serif; fill: #1f2328 }
        .title { font-size: 15px; font-weight: 600 }
        .small { font-size: 11px; fill: #59636e }
        .paper { fill: #ffffff }
        .good { fill: #2a78b8 }
        .bad { fill: #c4431d }
        .even { stroke: #59636e; stroke-width: 1 }
        .goal { stroke: #1f2328; stroke-width: 3 }
        @media (prefers-color-scheme: dark) {
          text { fill: #e6edf3 }
          .small { fill: #9ba5b0 }
          .paper { fill: #0d1117 }
          .good { fill: #58a6ff }
          .bad { fill: #ff8257 }
          .even { stroke: #9ba5b0 }
          .goal { stroke: #e6edf3 }
        }
      </style>
      """;

  /** Where a ratio is on the axis, from 0 to 1. */
  private interface Scale {
    double at(double ratio);
  }

  /**
   * @param label what is measured; and beside what
   * @param ratio Cairn's part of the reference
   * @param goal most that it may be; NaN if nothing is wanted
   * @param values both sides, with their units
   */
  record Bar(String label, double ratio, double goal, String values) {
    boolean missed() {
      return ratio > goal;
    }
  }

  private Chart() {}

  /** Bars from 0 on. */
  static String linear(String title, String taken, List<Bar> bars) {
    double most = 1;
    for (Bar bar : bars) {
      most = Math.max(most, Math.max(bar.ratio(), Double.isNaN(bar.goal()) ? 0 : bar.goal()));
    }
    double end = Math.ceil(most * 10 + 0.5) / 10;
    return svg(title, taken, bars, ratio -> ratio / end, 0);
  }

  /** Bars from the reference on: to the left what takes less, to the right what takes more. */
  static String logarithmic(String title, String taken, List<Bar> bars) {
    double most = 2;
    for (Bar bar : bars) {
      most = Math.max(most, Math.max(bar.ratio(), 1 / bar.ratio()));
    }
    double end = Math.min(LONGEST_LOG, Math.ceil(log2(most) + 0.1));
    return svg(title, taken, bars, ratio -> (log2(ratio) + end) / (2 * end), 1);
  }

  private static double log2(double value) {
    return Math.log(value) / Math.log(2);
  }

  private static String svg(String title, String taken, List<Bar> bars, Scale scale, double from) {
    int bottom = TOP + bars.size() * ROW;
    StringBuilder svg = new StringBuilder();
    add(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">",
        WIDTH,
        bottom + 34);
    add(svg, "<title>%s</title>", escaped(title));
    svg.append(STYLE);
    add(svg, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>", WIDTH, bottom + 34);
    add(svg, "<text class=\"title\" x=\"14\" y=\"26\">%s</text>", escaped(title));
    add(svg, "<text class=\"small\" x=\"14\" y=\"44\">%s</text>", escaped(taken));
    for (int i = 0; i < bars.size(); i++) {
      row(svg, bars.get(i), TOP + i * ROW + ROW / 2, scale, from);
    }
    double even = x(scale, 1);
    add(
        svg,
        "<line class=\"even\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>",
        even,
        TOP - 4,
        even,
        bottom + 4);
    add(
        svg,
        "<text class=\"small\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">1x: as much as the"
            + " reference</text>",
        even,
        bottom + 20);
    svg.append("</svg>\n");
    return svg.toString();
  }

  private static void row(StringBuilder svg, Bar bar, int middle, Scale scale, double from) {
    double begin = from == 0 ? LEFT : x(scale, from);
    double end = x(scale, bar.ratio());
    add(
        svg,
        "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>",
        LEFT - 10,
        middle + 4,
        escaped(bar.label()));
    add(
        svg,
        "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
        bar.missed() ? "bad" : "good",
        Math.min(begin, end),
        middle - BAR / 2,
        // Never too thin to be seen.
        Math.max(1.5, Math.abs(end - begin)),
        BAR);
    if (!Double.isNaN(bar.goal())) {
      double goal = x(scale, bar.goal());
      add(
          svg,
          "<line class=\"goal\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>",
          goal,
          middle - BAR / 2 - 3,
          goal,
          middle + BAR / 2 + 3);
    }
    add(
        svg,
        "<text x=\"%d\" y=\"%d\">%s</text>",
        RIGHT + 14,
        middle + 4,
        escaped(
            Table.ratio(bar.ratio(), 1)
                + " ("
                + bar.values()
                + ")"
                + (Double.isNaN(bar.goal()) ? "" : ", goal " + text(bar.goal()))));
  }

  private static String text(double goal) {
    return BigDecimal.valueOf(goal).stripTrailingZeros().toPlainString() + "x";
  }

  private static double x(Scale scale, double ratio) {
    return LEFT + Math.max(0, Math.min(1, scale.at(ratio))) * (RIGHT - LEFT);
  }

  private static void add(StringBuilder svg, String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values)).append('\n');
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
