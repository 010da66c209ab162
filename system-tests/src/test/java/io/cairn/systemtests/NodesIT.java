// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Jobs on several nodes under plain mpirun, each node with a disk of its own. */
class NodesIT {
  private static final int NODES = 3;
  private static final int SLOTS = 2;

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void shouldBeNodesWithFoldersProcessesAndLinksOfTheirOwn() throws Exception {
    Nodes nodes = bench.nodes(2, SLOTS);
    assertEquals(0, reach(nodes, 1, "echo $(hostname) >" + nodes.local() + "/me"));
    assertEquals(0, reach(nodes, 2, "echo $(hostname) >" + nodes.local() + "/me"));
    for (int node = 1; node <= 2; node++) {
      assertEquals(nodes.name(node) + "\n", Files.readString(nodes.storage(node).resolve("me")));
    }
    assertEquals(0, reach(nodes, 1, "sleep 1000 </dev/null >/dev/null 2>&1 &"));
    List<String> processes = awaitProcess(nodes, 1, ": sleep 1000");
    assertEquals(List.of(), nodes.processes(2));

    nodes.cut(1);
    assertEquals(255, reach(nodes, 1, "true"));
    assertEquals(processes, nodes.processes(1));
    assertEquals(0, reach(nodes, 2, "true"));
    nodes.heal(1);
    assertEquals(0, reach(nodes, 1, "true"));

    long pid = Long.parseLong(processes.get(0).replaceFirst(":.*", ""));
    nodes.kill(1);
    assertTrue(ProcessHandle.of(pid).isEmpty(), "a node's processes end with it");
    assertEquals(255, reach(nodes, 1, "true"));
    nodes.boot(1);
    assertEquals(0, reach(nodes, 1, "test -f " + nodes.local() + "/me"));
    nodes.wipe(1);
    assertEquals(1, reach(nodes, 1, "test -f " + nodes.local() + "/me"));
  }

  /** A shell that starts a program in the background is that program only a little later. */
  private static List<String> awaitProcess(Nodes nodes, int node, String end) throws Exception {
    List<String> processes = nodes.processes(node);
    for (int i = 0; i < 1000 && !processes.get(0).endsWith(end); i++) {
      Thread.sleep(10);
      processes = nodes.processes(node);
    }
    assertEquals(1, processes.size(), processes::toString);
    assertTrue(processes.get(0).endsWith(end), processes::toString);
    return processes;
  }

  /** Over the network, as mpirun does. */
  private static int reach(Nodes nodes, int node, String script) throws Exception {
    return new ProcessBuilder(nodes.agent().toString(), nodes.host(node), script)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }

  @Test
  void shouldComeBackOnTheSameNodesFromTheirOwnDisks() throws IOException {
    int ranks = NODES * SLOTS;
    Nodes nodes = bench.nodes(NODES, SLOTS);
    Sample sample = Sample.HEAT2D;
    String reference = sample.reference(bench, ranks);
    Path hosts = nodes.hostfile();

    MpiJob first = launch(sample, nodes, hosts).start();
    first.awaitLines(3, "event committed rank=0 ");
    requireRanksOn(nodes);
    first.killAll();
    MpiJob.Outcome died = first.finish().requireFailure();

    // Each node has its own ranks' images, and no others.
    Set<String> all = new HashSet<>();
    for (int node = 1; node <= NODES; node++) {
      JobFiles files = new JobFiles(nodes.storage(node).resolve(sample.program().getSimpleName()));
      JobFiles.Epoch newest = files.newestDecided().orElseThrow();
      assertTrue(newest.number() >= died.events().newestCommitted(), files.epochs()::toString);
      for (int rank = 0; rank < ranks; rank++) {
        boolean own = rank / SLOTS == node - 1;
        assertEquals(own, Files.exists(newest.image(rank)), "rank " + rank + ", node " + node);
        if (own) {
          all.add("rank " + rank);
        }
      }
    }
    assertEquals(ranks, all.size());

    MpiJob.Outcome second = launch(sample, nodes, hosts).run().requireSuccess();
    List<EventLog.Event> restored = second.events().of("restored");
    assertEquals(ranks, restored.size(), second::text);
    for (EventLog.Event event : restored) {
      assertTrue(event.epoch() >= died.events().newestCommitted(), second::text);
    }
    assertEquals(reference, second.only("result "), second::text);
    for (int node = 1; node <= NODES; node++) {
      assertEquals(List.of(), nodes.left(node), "left on node " + node);
    }
  }

  private MpiJob.Builder launch(Sample sample, Nodes nodes, Path hosts) {
    return sample
        .checkpointed(bench, NODES * SLOTS)
        .property("cairn.dir", nodes.local())
        .on(nodes, hosts);
  }

  private static void requireRanksOn(Nodes nodes) {
    for (int node = 1; node <= NODES; node++) {
      List<String> there = nodes.processes(node);
      assertEquals(
          SLOTS, there.stream().filter(p -> p.contains("Heat2d")).count(), there::toString);
    }
  }
}
