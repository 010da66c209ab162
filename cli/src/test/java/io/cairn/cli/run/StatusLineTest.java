// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cairn.cli.run.Report.Choice;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class StatusLineTest {
  private static final long SECOND = 1_000_000_000L;

  @Test
  void shouldShowHowThingsStandAndAtItsEndWhy() {
    Map<String, Choice> choices = new TreeMap<>();
    choices.put("set", new Choice(312, "protects an epoch every 312 s: that costs 0.081 s"));
    choices.put("interval", new Choice(50, "as given"));
    Supervisor.Status status =
        new Supervisor.Status("running", "3-17", 41 * SECOND, 8211, 4, List.of("b"), 2, choices);
    assertEquals(
        "[running | epoch 3-17, 41 s old, every 50 s, set every 5 m 12 s | safe point 8211"
            + " | 4 hosts, gone: b | 2 restarts | 60 s | interval: as given"
            + " | set: protects an epoch every 312 s: that costs 0.081 s]",
        StatusLine.of(status, false, 60 * SECOND));
  }

  @Test
  void shouldLeaveOutWhatIsNotKnown() {
    Supervisor.Status status =
        new Supervisor.Status("starting", "", -1, -1, 1, List.of(), 0, Map.of());
    assertEquals(
        "[starting | no epoch yet | 0 restarts | 5.0 s]", StatusLine.of(status, true, 5 * SECOND));
  }
}
