// SPDX-License-Identifier: Apache-2.0
package io.cairn.restore;

import io.cairn.capture.CallbackException;
import io.cairn.capture.HeapArrays;
import io.cairn.capture.Pages;
import io.cairn.capture.Registry;
import io.cairn.coordinate.Group;
import io.cairn.image.BlockSink;
import io.cairn.image.CorruptImageException;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageReader;
import io.cairn.image.OffHeap;
import io.cairn.image.Section;
import io.cairn.image.SectionKind;
import io.cairn.store.JobDirectory;
import io.cairn.store.Together;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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
  private final System.Logger logger = System.getLogger("io.cairn.restore");

  public Restorer(Pages pages, Registry registry, FileOperations files, FaultHook faults) {
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
   * @throws CallbackException if a callback threw
   * @throws io.cairn.store.PeerFailureException if it failed on another rank
   */
  public RestoredImage restore(JobDirectory directory, EpochId epoch, Group group)
      throws Exception {
    Path file = directory.directory(epoch).resolve(EpochRecord.imageName(directory.rank()));
    List<ImageReader> opened = new ArrayList<>();
    List<RestoredImage> restored = new ArrayList<>();
    try {
      Together.runText(
          group,
          () -> {
            ImageReader image = ImageReader.open(files, file);
            opened.add(image);
            image.requireIdentity(directory.job(), epoch, directory.rank());
            requireMatch(image, file);
            return "";
          });
      Together.runText(
          group,
          () -> {
            restored.add(fill(opened.get(0), file));
            return "";
          });
      faults.reached(FaultPoint.AFTER_RESTORE);
      return restored.get(0);
    } catch (Throwable e) {
      restored.forEach(RestoredImage::close);
      throw e;
    } finally {
      for (ImageReader image : opened) {
        image.close();
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

  private RestoredImage fill(ImageReader image, Path file) throws Exception {
    RestoredImage.Memory counts = null;
    RestoredImage.Memory channels = null;
    try {
      for (Registry.Entry entry : registry.entries()) {
        faults.reached(FaultPoint.DURING_RESTORE);
        fill(image, entry, image.find(entry.kind(), entry.name()).orElseThrow());
      }
      counts = load(image, SectionKind.COUNTS, file);
      channels = load(image, SectionKind.CHANNELS, file);
      return new RestoredImage(
          pages, image.header().epoch(), image.header().safePoint(), counts, channels);
    } catch (Throwable e) {
      if (counts != null) {
        RestoredImage.free(pages, counts);
      }
      throw e;
    }
  }

  private void fill(ImageReader image, Registry.Entry entry, Section section) throws Exception {
    if (entry instanceof Registry.RegionEntry region) {
      image.read(section, (offset, length) -> pages.view(region.address() + offset, length));
    } else if (entry instanceof Registry.ArrayEntry array) {
      image.read(
          section,
          new Through(image.header().blockBytes()) {
            @Override
            public void filled(long offset, ByteBuffer window) {
              HeapArrays.copyIn(array.type(), array.array(), offset, window);
            }
          });
    } else if (entry instanceof Registry.StateEntry state) {
      fillState(image, state, section);
    }
  }

  private void fillState(ImageReader image, Registry.StateEntry entry, Section section)
      throws Exception {
    try (OffHeap bytes = new OffHeap(section.lengthBytes())) {
      image.read(
          section,
          new Through(image.header().blockBytes()) {
            @Override
            public void filled(long offset, ByteBuffer window) {
              bytes.put(window);
            }
          });
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
            section.lengthBytes());
      }
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

  /** A sink with one window. */
  private abstract static class Through implements BlockSink {
    private final ByteBuffer window;

    Through(int blockBytes) {
      window = ByteBuffer.allocateDirect(blockBytes);
    }

    @Override
    public ByteBuffer window(long offset, int lengthBytes) {
      return window.clear().limit(lengthBytes);
    }
  }
}
