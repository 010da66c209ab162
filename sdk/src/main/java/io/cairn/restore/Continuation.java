// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.coordinate.Group;
import io.cairn.image.EpochId;
import io.cairn.store.JobDirectory;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Finds the newest epoch that all ranks can restore, and restores it. Each image is read once: it
 * is checked while it is restored. Only if one of them turns out to be damaged are images read
 * through before the choice, which is then made again.
 */
public final class Continuation {
  private final RestoreAgreement agreement;
  private final Restorer restorer;
  private final JobDirectory directory;
  private final Group group;

  public Continuation(
      RestoreAgreement agreement, Restorer restorer, JobDirectory directory, Group group) {
    this.agreement = agreement;
    this.restorer = restorer;
    this.directory = directory;
    this.group = group;
  }

  /**
   * What a launch goes on from.
   *
   * @param image empty if it starts afresh; to be closed
   */
  public record Result(Choice choice, Optional<RestoredImage> image) {}

  /**
   * Blocks until all ranks have restored, or know that there is nothing to restore.
   *
   * @param startAfreshHint how to start afresh, for the message
   * @param avoided epochs that are not to be used, the same on all ranks
   * @param chosen told of a choice before it is restored; again, if that can't be
   * @throws NoUsableEpochException on all ranks, if there has been a committed epoch and none can
   *     be used
   */
  public Result run(String startAfreshHint, Set<EpochId> avoided, Consumer<Choice> chosen)
      throws Exception {
    Choice choice = agreement.chooseUnread(startAfreshHint, avoided);
    chosen.accept(choice);
    try {
      return restore(choice);
    } catch (UnreadableImageException e) {
      choice = agreement.choose(startAfreshHint, avoided);
      chosen.accept(choice);
      return restore(choice);
    }
  }

  private Result restore(Choice choice) throws Exception {
    return new Result(
        choice,
        choice.epoch().isEmpty()
            ? Optional.empty()
            : Optional.of(restorer.restore(directory, choice.epoch().get(), group)));
  }
}
