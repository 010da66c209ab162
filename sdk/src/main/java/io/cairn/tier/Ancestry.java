// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.Ancestor;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.ImageReader;
import io.cairn.store.JobDirectory;
import io.cairn.store.Together;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The older epochs that an epoch's images take bytes from: it is protected, and recovered, together
 * with them.
 */
final class Ancestry {
  private Ancestry() {}

  /** An epoch that some rank's image takes bytes from. */
  record Older(EpochId epoch, long jobDigest) {}

  /**
   * All of them, the oldest first; the same on all ranks, which do it together.
   *
   * @throws Exception if an image or a record is missing or damaged
   */
  static List<Older> gather(Protector.Context context, EpochId epoch) throws Exception {
    JobDirectory directory = context.directory();
    Map<EpochId, Long> found = new TreeMap<>();
    for (String text :
        Together.runText(
            context.exchange().transport(),
            () -> {
              StringBuilder line = new StringBuilder();
              for (Ancestor ancestor : ancestors(context, epoch)) {
                EpochRecord record =
                    EpochRecord.read(
                        context.files(), directory.view().recordFile(ancestor.epoch()));
                line.append(ancestor.epoch().epoch()).append(' ');
                line.append(record.jobDigest()).append(' ');
              }
              return line.toString();
            })) {
      String[] words = text.split(" ", -1);
      for (int i = 0; i + 1 < words.length; i += 2) {
        found.put(
            new EpochId(epoch.generation(), Long.parseLong(words[i])),
            Long.parseLong(words[i + 1]));
      }
    }
    List<Older> older = new ArrayList<>();
    found.forEach((id, digest) -> older.add(new Older(id, digest)));
    older.sort(Comparator.comparing(Older::epoch));
    return older;
  }

  private static List<Ancestor> ancestors(Protector.Context context, EpochId epoch)
      throws java.io.IOException {
    JobDirectory directory = context.directory();
    try (ImageReader image =
        ImageReader.open(context.files(), directory.view().imageFile(epoch, directory.rank()))) {
      return List.copyOf(image.ancestors());
    }
  }
}
