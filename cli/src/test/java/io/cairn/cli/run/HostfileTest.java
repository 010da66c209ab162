// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cairn.cli.run.Hostfile.BadHostfileException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HostfileTest {

  @Test
  void shouldReadWhatMpirunReadsAndWeights() throws Exception {
    assertEquals(
        List.of(
            new Host("node1", 4, 1),
            new Host("10.77.0.2", 1, 1),
            new Host("me@node3.example.org", 3, 2.5)),
        Hostfile.parse(
            "hosts",
            List.of(
                "# ours",
                "node1 slots=2  # the first",
                "",
                "10.77.0.2",
                "\tme@node3.example.org slots = 3 max_slots=8 weight=2.5",
                "node1 slots=2")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "n slots=0|h line 1: slots=0: expected a whole number from 1 to 100000",
        "n slots|h line 1: slots=: expected a whole number from 1 to 100000",
        "n max_slots=x|h line 1: max_slots=x: expected a whole number from 1 to 100000",
        "n weight=-1|h line 1: weight=-1: expected a number above 0, up to 1000",
        "n weight=NaN|h line 1: weight=NaN: expected a number above 0, up to 1000",
        "n slot=2|h line 1: unknown setting 'slot'; did you mean slots? (known: slots, max_slots, weight)",
        "-oProxyCommand=x|h line 1: '-oProxyCommand=x' is no host name; expected a line such as: node1 slots=4",
        "# nobody|h names no host; expected lines such as: node1 slots=4",
      })
  void shouldSayWhatIsWrongAndWhere(String line, String message) {
    assertEquals(
        message,
        assertThrows(BadHostfileException.class, () -> Hostfile.parse("h", List.of(line)))
            .getMessage());
  }
}
