// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a {@link Supervisor} wants done. */
public sealed interface Action {

  /**
   * Look at hosts, all at once; answered by {@link Event.Looked}.
   *
   * @param clearUpTo what is left there of launches up to this one is ended; none if 0
   * @param trials hosts on which mpirun is to start something, too
   */
  record Look(int look, List<Host> hosts, int clearUpTo, Set<Host> trials) implements Action {
    public Look {
      hosts = List.copyOf(hosts);
      trials = Set.copyOf(trials);
    }
  }

  /** Have the JVMs of the launch's ranks print where their threads stand. */
  record Dump(int launch, Placement placement) implements Action {}

  /** Whoever of the launch asks hears from now on that it is over. */
  record Disown(int launch) implements Action {}

  /**
   * Start mpirun; answered by {@link Event.Exited} or {@link Event.NotStarted}.
   *
   * @param avoid epochs that it must not go on from
   */
  record Launch(int launch, Placement placement, Set<String> avoid) implements Action {}

  /** Ask mpirun to end its ranks and itself. */
  record Terminate(int launch) implements Action {}

  /** End mpirun. */
  record Kill(int launch) implements Action {}

  /**
   * Whether the job could go on from another epoch than this one: a newer one of the same launch,
   * or an older one; answered by {@link Event.Older}.
   *
   * @param directory the job's
   * @param generation of the launch that went on from it
   * @param epoch empty for the newest that it could have gone on from
   */
  record AskOlder(String directory, long generation, String epoch) implements Action {}

  /**
   * Something to be remembered.
   *
   * @param event its name in the file of events
   * @param text for people; empty if only for the file
   * @param fields for the file; values are text, numbers, flags, or lists of text
   */
  record Tell(String event, String text, Map<String, Object> fields) implements Action {}

  /**
   * The last.
   *
   * @param verdict for people
   */
  record Finish(Outcome outcome, String verdict) implements Action {}

  /** How it ended. */
  enum Outcome {
    /** The job is done. */
    DONE,
    /** It can't be done. */
    GAVE_UP,
    /** It could not be started at all. */
    REFUSED,
    /** By whoever started the tool. */
    INTERRUPTED
  }
}
