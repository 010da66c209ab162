// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import com.sun.nio.file.ExtendedOpenOption;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/** {@link FileOperations} on the file system. */
public final class SystemFiles implements FileOperations {
  private static final FileAttribute<Set<PosixFilePermission>> OWNER_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final FileAttribute<Set<PosixFilePermission>> OWNER_DIRECTORY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  private final FileSpace space;

  /** With Java alone. */
  public SystemFiles() {
    this(FileSpace.NONE);
  }

  /**
   * @param space what the system can do besides
   */
  public SystemFiles(FileSpace space) {
    this.space = space;
  }

  @Override
  public FileSpace space() {
    return space;
  }

  @Override
  public OutputFile create(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(
            file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.APPEND), OWNER_FILE);
    return output(channel);
  }

  @Override
  public OutputFile appendDirect(Path file) throws IOException {
    try {
      return output(FileChannel.open(file, StandardOpenOption.APPEND, ExtendedOpenOption.DIRECT));
    } catch (UnsupportedOperationException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public InputFile openDirect(Path file) throws IOException {
    try {
      return input(FileChannel.open(file, StandardOpenOption.READ, ExtendedOpenOption.DIRECT));
    } catch (UnsupportedOperationException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public OutputFile append(Path file) throws IOException {
    return output(FileChannel.open(file, StandardOpenOption.APPEND));
  }

  private static OutputFile output(FileChannel channel) {
    return new OutputFile() {
      @Override
      public int write(ByteBuffer source) throws IOException {
        return channel.write(source);
      }

      @Override
      public void force() throws IOException {
        channel.force(true);
      }

      @Override
      public void close() throws IOException {
        channel.close();
      }
    };
  }

  @Override
  public InputFile open(Path file) throws IOException {
    return input(FileChannel.open(file, StandardOpenOption.READ));
  }

  private static InputFile input(FileChannel channel) {
    return new InputFile() {
      @Override
      public long lengthBytes() throws IOException {
        return channel.size();
      }

      @Override
      public int read(ByteBuffer destination, long offset) throws IOException {
        return channel.read(destination, offset);
      }

      @Override
      public void close() throws IOException {
        channel.close();
      }
    };
  }

  @Override
  public void createDirectories(Path directory) throws IOException {
    if (Files.isDirectory(directory)) {
      return;
    }
    Path parent = directory.toAbsolutePath().getParent();
    if (parent != null) {
      createDirectories(parent);
    }
    try {
      Files.createDirectory(directory, OWNER_DIRECTORY);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(directory)) {
        throw e;
      }
    }
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public void delete(Path path) throws IOException {
    Files.deleteIfExists(path);
  }

  @Override
  public List<String> list(Path directory) throws IOException {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        names.add(entry.getFileName().toString());
      }
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (java.nio.file.DirectoryIteratorException e) {
      throw e.getCause();
    }
    Collections.sort(names);
    return names;
  }

  @Override
  public boolean exists(Path path) throws IOException {
    try {
      Files.readAttributes(path, BasicFileAttributes.class);
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  @Override
  public void syncDirectory(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      try {
        channel.force(true);
      } catch (IOException e) {
        throw FileOperations.failed(directory, "sync of the directory", e);
      }
    }
  }

  @Override
  public long usableBytes(Path directory) throws IOException {
    // Not by way of Files.getFileStore: it looks for the mount point, which containers may hide.
    long usable = directory.toFile().getUsableSpace();
    if (usable == 0 && !exists(directory)) {
      throw new NoSuchFileException(directory.toString());
    }
    return usable;
  }
}
