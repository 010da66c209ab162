// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.capture.CallbackException;
import io.cairn.capture.HeapArrays;
import io.cairn.capture.Pages;
import io.cairn.capture.Registry;
import io.cairn.coordinate.Group;
import io.cairn.image.BlockReader;
import io.cairn.image.BlockSink;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageChain;
import io.cairn.image.ImageReader;
import io.cairn.image.OffHeap;
import io.cairn.image.ReadSettings;
import io.cairn.image.Section;
import io.cairn.image.SectionKind;
import io.cairn.store.JobDirectory;
import io.cairn.store.Together;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Brings a rank back from its image: fills regions, arrays and callbacks. All ranks do it together;
 * a failure on any of them, an exception of a callback for example, fails all. Changes nothing on
 * disk. Application's thread.
 */
public final class Restorer {
  private final Pages pages;
  private final Registry registry;
  private final FileOperations files;
  private final FaultHook faults;
  private final ReadSettings settings;
  private final System.Logger logger = System.getLogger("io.cairn.restore");

  public Restorer(Pages pages, Registry registry, FileOperations files, FaultHook faults) {
    this(pages, registry, files, faults, ReadSettings.PLAIN);
  }

  /**
   * @param settings how regions and arrays are read
   */
  public Restorer(
      Pages pages,
      Registry registry,
      FileOperations files,
      FaultHook faults,
      ReadSettings settings) {
    this.settings = settings;
    this.pages = pages;
    this.registry = registry;
    this.files = files;
    this.faults = faults;
  }

  /**
   * Restores this rank from its image of an epoch that all ranks agreed on; blocks until all have.
   *
   * @throws RestoreMismatchException if something else is registered than was saved; then nothing
   *     was touched
   * @throws UnreadableImageException on all ranks, if any rank's image can't be read or is damaged;
   *     then only regions and arrays were touched
   * @throws CallbackException if a callback threw
   * @throws io.cairn.store.PeerFailureException if it failed on another rank
   */
  public RestoredImage restore(JobDirectory directory, EpochId epoch, Group group)
      throws Exception {
    Path file = directory.directory(epoch).resolve(EpochRecord.imageName(directory.rank()));
    List<ImageChain> opened = new ArrayList<>();
    List<Loaded> loaded = new ArrayList<>();
    boolean whole = false;
    try {
      Together.runText(
          group,
          () -> {
            ImageChain chain =
                ImageChain.open(
                    files, file, older -> directory.view().imageFile(older, directory.rank()));
            opened.add(chain);
            ImageReader image = chain.newest();
            image.requireIdentity(directory.job(), epoch, directory.rank());
            requireMatch(image, file);
            return "";
          });
      requireReadable(
          epoch,
          Together.runText(
              group,
              () -> {
                try {
                  loaded.add(load(opened.get(0), file));
                  return "";
                } catch (IOException e) {
                  return e.toString();
                }
              }));
      Together.runText(
          group,
          () -> {
            loaded.get(0).readStates();
            return "";
          });
      faults.reached(FaultPoint.AFTER_RESTORE);
      whole = true;
      return loaded.get(0).image();
    } finally {
      for (Loaded each : loaded) {
        each.close(whole);
      }
      for (ImageChain chain : opened) {
        chain.close();
      }
    }
  }

  /** Nothing but memory was touched so far: another epoch may still be restored over it. */
  private static void requireReadable(EpochId epoch, List<String> failures)
      throws UnreadableImageException {
    for (int rank = 0; rank < failures.size(); rank++) {
      if (!failures.get(rank).isEmpty()) {
        throw new UnreadableImageException(
            epoch + ", rank " + rank + ": " + failures.get(rank), null);
      }
    }
  }

  /** What is registered and what was saved must be the same, by name, kind, type and length. */
  private void requireMatch(ImageReader image, Path file) throws RestoreMismatchException {
    List<String> differences = new ArrayList<>();
    for (Registry.Entry entry : registry.entries()) {
      String registered = describe(entry);
      String saved =
          image.sections().stream()
              .filter(s -> s.kind().named() && s.name().equals(entry.name()))
              .map(Restorer::describe)
              .findFirst()
              .orElse("nothing");
      if (!registered.equals(saved)) {
        differences.add("\"" + entry.name() + "\": registered " + registered + ", saved " + saved);
      }
    }
    for (Section section : image.sections()) {
      if (section.kind().named()
          && registry.entries().stream().noneMatch(e -> e.name().equals(section.name()))) {
        differences.add(
            "\"" + section.name() + "\": registered nothing, saved " + describe(section));
      }
    }
    if (!differences.isEmpty()) {
      throw new RestoreMismatchException(
          "the program registered something else than "
              + file
              + " has: "
              + String.join("; ", differences));
    }
  }

  private static String describe(Registry.Entry entry) {
    if (entry instanceof Registry.RegionEntry region) {
      return describe(SectionKind.REGION, "", region.lengthBytes());
    }
    return entry instanceof Registry.ArrayEntry array
        ? describe(SectionKind.ARRAY, array.type().name(), array.lengthBytes())
        : describe(SectionKind.CALLBACK, "", 0);
  }

  private static String describe(Section section) {
    return describe(section.kind(), section.type().name(), section.lengthBytes());
  }

  private static String describe(SectionKind kind, String type, long lengthBytes) {
    return switch (kind) {
      case REGION -> "a region of " + lengthBytes + " bytes";
      case ARRAY ->
          "an array of " + type.toLowerCase(java.util.Locale.ROOT) + ", " + lengthBytes + " bytes";
      default -> "a callback";
    };
  }

  /** All that an image holds, read and checked; callbacks haven't seen their part of it yet. */
  private final class Loaded {
    private final ImageReader image;
    private final Map<Registry.StateEntry, OffHeap> states = new LinkedHashMap<>();
    private RestoredImage.Memory counts = new RestoredImage.Memory(0, 0);
    private RestoredImage.Memory channels = counts;

    Loaded(ImageReader image) {
      this.image = image;
    }

    RestoredImage image() {
      return new RestoredImage(
          pages, image.header().epoch(), image.header().safePoint(), counts, channels);
    }

    void readStates() throws CallbackException {
      for (Map.Entry<Registry.StateEntry, OffHeap> state : states.entrySet()) {
        readState(state.getKey(), state.getValue());
      }
    }

    /**
     * @param handedOn whether the ledger's part belongs to somebody else now
     */
    void close(boolean handedOn) {
      states.values().forEach(OffHeap::close);
      if (!handedOn) {
        RestoredImage.free(pages, counts);
        RestoredImage.free(pages, channels);
      }
    }
  }

  private Loaded load(ImageChain chain, Path file) throws IOException {
    ImageReader image = chain.newest();
    Loaded loaded = new Loaded(image);
    try {
      new BlockReader(files, settings, image.header().blockBytes()).read(chain.jobs(this::sink));
      for (Registry.Entry entry : registry.entries()) {
        if (entry instanceof Registry.StateEntry state) {
          faults.reached(FaultPoint.DURING_RESTORE);
          Section section = image.find(entry.kind(), entry.name()).orElseThrow();
          OffHeap bytes = new OffHeap(section.lengthBytes());
          loaded.states.put(state, bytes);
          load(chain, section, bytes);
        }
      }
      loaded.counts = load(image, SectionKind.COUNTS, file);
      loaded.channels = load(image, SectionKind.CHANNELS, file);
      return loaded;
    } catch (Throwable e) {
      loaded.close(false);
      throw e;
    }
  }

  /** Where a region's or an array's bytes go; null for all else. */
  private BlockSink sink(Section section) {
    faults.reached(FaultPoint.DURING_RESTORE);
    for (Registry.Entry entry : registry.entries()) {
      if (entry.kind() != section.kind() || !entry.name().equals(section.name())) {
        continue;
      }
      if (entry instanceof Registry.RegionEntry region) {
        return (offset, length) -> pages.view(region.address() + offset, length);
      }
      if (entry instanceof Registry.ArrayEntry array) {
        return new BlockSink() {
          @Override
          public ByteBuffer window(long offset, int lengthBytes) {
            return null;
          }

          @Override
          public void filled(long offset, ByteBuffer window) {
            HeapArrays.copyIn(array.type(), array.array(), offset, window);
          }
        };
      }
    }
    return null;
  }

  private static void load(ImageChain chain, Section section, OffHeap bytes) throws IOException {
    ByteBuffer scratch = ByteBuffer.allocateDirect(chain.newest().header().blockBytes());
    chain.read(section, BlockSink.through(scratch, (offset, window) -> bytes.put(window)));
  }

  private void readState(Registry.StateEntry entry, OffHeap bytes) throws CallbackException {
    long lengthBytes = bytes.lengthBytes();
    try {
      entry.state().readMarshallable(bytes.bytes());
    } catch (Exception | LinkageError | StackOverflowError | AssertionError e) {
      throw new CallbackException(
          "state \""
              + entry.name()
              + "\" could not be read by "
              + entry.state().getClass().getName()
              + ": "
              + e,
          e);
    }
    if (bytes.bytes().readRemaining() > 0) {
      logger.log(
          System.Logger.Level.WARNING,
          "state \"{0}\" left {1} of {2} bytes unread",
          entry.name(),
          bytes.bytes().readRemaining(),
          lengthBytes);
    }
  }

  private RestoredImage.Memory load(ImageReader image, SectionKind kind, Path file)
      throws IOException {
    Section section =
        image
            .find(kind, "")
            .orElseThrow(
                () ->
                    new CorruptImageException(
                        file, 0, "sections", "no " + kind, "one", "written by a faulty program?"));
    if (section.lengthBytes() == 0) {
      return new RestoredImage.Memory(0, 0);
    }
    long address = pages.allocate(section.lengthBytes());
    RestoredImage.Memory memory = new RestoredImage.Memory(address, section.lengthBytes());
    try {
      image.read(section, (offset, length) -> pages.view(address + offset, length));
      return memory;
    } catch (Throwable e) {
      RestoredImage.free(pages, memory);
      throw e;
    }
  }
}
