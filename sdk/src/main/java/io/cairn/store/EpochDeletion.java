// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The record goes first, so that what is left of an epoch is never taken for one. */
final class EpochDeletion {
  private EpochDeletion() {}

  static void delete(FileOperations files, Path place, FaultHook faults) throws IOException {
    deleteRecord(files, place, faults);
    for (String name : files.list(place)) {
      faults.reached(FaultPoint.DURING_PRUNE);
      files.delete(place.resolve(name));
    }
    files.delete(place);
  }

  static void deleteRecord(FileOperations files, Path place, FaultHook faults) throws IOException {
    for (String record : List.of(EpochRecord.COMMITTED, EpochRecord.PENDING)) {
      faults.reached(FaultPoint.DURING_PRUNE);
      files.delete(place.resolve(record));
    }
    files.syncDirectory(place);
  }
}
