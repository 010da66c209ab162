// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import io.cairn.image.EpochId;
import io.cairn.store.FencedException;
import io.cairn.tier.Protector;
import io.cairn.tier.Tier;
import java.util.ArrayList;
import java.util.List;

/** What a rank's tiers have said. */
public final class TierNews implements Protector.Listener {
  private static final long PATIENCE_MILLIS = 20_000;

  private final List<String> news = new ArrayList<>();

  private synchronized void add(String text) {
    news.add(text);
    notifyAll();
  }

  @Override
  public void isProtected(Tier tier, EpochId epoch, double seconds) {
    add("protected " + tier.word() + " " + epoch.epoch());
  }

  @Override
  public void failed(Tier tier, EpochId epoch, Exception failure) {
    add("failed " + tier.word() + " " + epoch.epoch() + " " + failure.getMessage());
  }

  @Override
  public void chosen(Tier tier, long nanos, String choice) {
    add("chosen " + tier.word() + " " + choice);
  }

  @Override
  public void ended(Exception failure) {
    add("ended " + failure);
  }

  @Override
  public void fenced(FencedException fenced) {
    add("fenced " + fenced.getMessage());
  }

  /** Waits until something that begins in one of these ways has been said, and returns it. */
  public synchronized String await(String... begins) throws InterruptedException {
    long end = System.currentTimeMillis() + PATIENCE_MILLIS;
    while (true) {
      for (String text : news) {
        for (String begin : begins) {
          if (text.startsWith(begin)) {
            return text;
          }
        }
      }
      long left = end - System.currentTimeMillis();
      if (left <= 0) {
        throw new AssertionError("nothing was said like " + List.of(begins) + ": " + news);
      }
      wait(left);
    }
  }

  /** All that was said. */
  public synchronized List<String> all() {
    return List.copyOf(news);
  }
}
