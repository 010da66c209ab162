// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import io.cairn.samples.ConjugateGradient;
import io.cairn.samples.Heat2d;
import io.cairn.samples.Pipeline;
import io.cairn.samples.TaskFarm;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The samples, in sizes that last for some twenty epochs and little longer. */
enum Sample {
  HEAT2D(Heat2d.class, "--nx 512 --ny 384 --steps 240"),
  CG(ConjugateGradient.class, "--poisson 160 --iterations 240 --tolerance 1e-30"),
  PIPELINE(Pipeline.class, "--steps 240 --doubles 512"),
  TASKFARM(TaskFarm.class, "--tasks 240 --doubles 1024");

  /** Safe points from one epoch to the next. */
  static final int EVERY = 10;

  private static final int STEP_MILLIS = 2;

  private static final Map<String, String> REFERENCES = new HashMap<>();

  private static final int FULL_EVERY =
      Integer.getInteger(
          "systemtests.full", List.of(1, 2, 8).get(Seed.random("full images").nextInt(3)));

  private final Class<?> program;
  private final String arguments;

  Sample(Class<?> program, String arguments) {
    this.program = program;
    this.arguments = arguments;
  }

  Class<?> program() {
    return program;
  }

  /** The answer of a run that nothing interrupts, and that Cairn has no part in; it runs once. */
  String reference(Workbench bench, int ranks) {
    return REFERENCES.computeIfAbsent(
        this + " on " + ranks,
        key ->
            bench
                .job(ranks, program)
                .property("cairn.enabled", false)
                .arguments((Object[]) arguments.split(" "))
                .run()
                .requireSuccess()
                .only("result "));
  }

  /**
   * The same computation, slower, with many epochs, and telling of each. One image of so many is
   * full, drawn for a whole run or as {@code -Dsystemtests.full} says; 1: all are.
   */
  MpiJob.Builder checkpointed(Workbench bench, int ranks) {
    return bench
        .job(ranks, program)
        .property("cairn.every", EVERY)
        .property("cairn.full.every", FULL_EVERY)
        .property("cairn.drain.deadline", "50ms")
        .arguments((Object[]) arguments.split(" "))
        .arguments("--step-millis", STEP_MILLIS, "--events", 1);
  }
}
