// SPDX-License-Identifier: Apache-2.0

/**
 * What a rank saves, and how it gets from the application's memory to the image: copied at the cut
 * into a staging pool, then written in the background.
 */
package io.cairn.capture;
