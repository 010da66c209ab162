// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.Map;

/** How things stand, in one line of which a narrow terminal shows the beginning. */
final class StatusLine {
  private static final String INTERVAL = "interval";

  private StatusLine() {}

  /**
   * The line.
   *
   * @param local whether there are no hosts but this machine
   * @param nanos since the tool was started
   */
  static String of(Supervisor.Status s, boolean local, long nanos) {
    StringBuilder line = new StringBuilder("[" + s.state());
    line.append(" | ").append(s.epoch().isEmpty() ? "no epoch yet" : "epoch " + s.epoch());
    if (s.epochAgeNanos() >= 0) {
      line.append(", ").append(Times.show(s.epochAgeNanos())).append(" old");
    }
    Report.Choice interval = s.choices().get(INTERVAL);
    if (interval != null) {
      line.append(", every ").append(show(interval));
    }
    s.choices()
        .forEach(
            (what, choice) -> {
              if (!what.equals(INTERVAL)) {
                line.append(", ").append(what).append(" every ").append(show(choice));
              }
            });
    if (s.safePoint() >= 0) {
      line.append(" | safe point ").append(s.safePoint());
    }
    if (!local) {
      line.append(" | ").append(s.hosts()).append(" hosts");
      if (!s.gone().isEmpty()) {
        line.append(", gone: ").append(String.join(" ", s.gone()));
      }
    }
    line.append(" | ").append(s.restarts()).append(" restarts");
    line.append(" | ").append(Times.show(nanos));
    for (Map.Entry<String, Report.Choice> choice : s.choices().entrySet()) {
      line.append(" | ").append(choice.getKey()).append(": ").append(choice.getValue().why());
    }
    return line.append(']').toString();
  }

  private static String show(Report.Choice choice) {
    return Times.show((long) (choice.seconds() * 1e9));
  }
}
