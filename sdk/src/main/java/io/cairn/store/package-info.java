// SPDX-License-Identifier: Apache-2.0

/**
 * A job's directory: who may use it, how an epoch's record is published in it, and what is kept.
 *
 * <pre>
 * DIRECTORY/JOB/                 0700
 *   lock                         kernel lock, held by the lowest rank that uses the store
 *   store                        random id: ranks that read the same one share the store
 *   job                          id, random id and world size of the job
 *   generation                   number of the newest launch, and who that is
 *   committed                    an epoch has been committed here once
 *   request                      put here by an operator who wants a checkpoint
 *   epoch-GENERATION-EPOCH/      0700
 *     rank-RANK.image            0600
 *     pending-record             all images are durable; renamed when the epoch is committed
 *     record                     the epoch is committed
 * </pre>
 */
package io.cairn.store;
