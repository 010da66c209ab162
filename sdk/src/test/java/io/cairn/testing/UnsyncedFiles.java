// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.FileOperations;
import io.cairn.image.InputFile;
import io.cairn.image.OutputFile;
import io.cairn.image.SystemFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;

/** Real files that no disk is waited for, for tests in which no machine goes down. */
public final class UnsyncedFiles implements FileOperations {
  private final FileOperations files = new SystemFiles();

  @Override
  public OutputFile create(Path file) throws IOException {
    return output(files.create(file));
  }

  @Override
  public OutputFile append(Path file) throws IOException {
    return output(files.append(file));
  }

  private static OutputFile output(OutputFile out) {
    return new OutputFile() {
      @Override
      public int write(ByteBuffer source) throws IOException {
        return out.write(source);
      }

      @Override
      public void force() {}

      @Override
      public void close() throws IOException {
        out.close();
      }
    };
  }

  @Override
  public InputFile open(Path file) throws IOException {
    return files.open(file);
  }

  @Override
  public void createDirectories(Path directory) throws IOException {
    files.createDirectories(directory);
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    files.rename(from, to);
  }

  @Override
  public void delete(Path path) throws IOException {
    files.delete(path);
  }

  @Override
  public List<String> list(Path directory) throws IOException {
    return files.list(directory);
  }

  @Override
  public boolean exists(Path path) throws IOException {
    return files.exists(path);
  }

  @Override
  public void syncDirectory(Path directory) {}

  @Override
  public long usableBytes(Path directory) throws IOException {
    return files.usableBytes(directory);
  }
}
