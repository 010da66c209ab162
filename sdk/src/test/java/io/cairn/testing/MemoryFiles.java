// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.FileOperations;
import io.cairn.image.InputFile;
import io.cairn.image.OutputFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Files in memory, for tests that read thousands of variants of one. */
public class MemoryFiles implements FileOperations {
  private final Map<Path, byte[]> files = new HashMap<>();

  public void put(Path file, byte[] bytes) {
    files.put(file, bytes);
  }

  public byte[] get(Path file) {
    return files.get(file);
  }

  @Override
  public OutputFile create(Path file) throws IOException {
    if (files.putIfAbsent(file, new byte[0]) != null) {
      throw new FileAlreadyExistsException(file.toString());
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    return new OutputFile() {
      @Override
      public int write(ByteBuffer source) {
        byte[] copy = new byte[source.remaining()];
        source.get(copy);
        bytes.writeBytes(copy);
        return copy.length;
      }

      @Override
      public void force() {
        files.put(file, bytes.toByteArray());
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public OutputFile append(Path file) {
    throw new UnsupportedOperationException("append to " + file);
  }

  @Override
  public InputFile open(Path file) throws IOException {
    byte[] bytes = files.get(file);
    if (bytes == null) {
      throw new NoSuchFileException(file.toString());
    }
    return new InputFile() {
      @Override
      public long lengthBytes() {
        return bytes.length;
      }

      @Override
      public int read(ByteBuffer destination, long offset) {
        if (offset >= bytes.length) {
          return -1;
        }
        int n = (int) Math.min(destination.remaining(), bytes.length - offset);
        destination.put(bytes, (int) offset, n);
        return n;
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void createDirectories(Path directory) {}

  @Override
  public void rename(Path from, Path to) {
    files.put(to, files.remove(from));
  }

  @Override
  public void delete(Path path) {
    files.remove(path);
  }

  @Override
  public List<String> list(Path directory) {
    return files.keySet().stream()
        .filter(file -> directory.equals(file.getParent()))
        .map(file -> file.getFileName().toString())
        .sorted()
        .toList();
  }

  @Override
  public boolean exists(Path path) {
    return files.containsKey(path);
  }

  @Override
  public void syncDirectory(Path directory) {}

  @Override
  public long usableBytes(Path directory) {
    return Long.MAX_VALUE;
  }
}
