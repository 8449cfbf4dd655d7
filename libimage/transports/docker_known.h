/// What a session has learnt of the repositories of one registry while it writes to them. Internal.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libimage/oci/descriptor.h"

namespace lade::docker {

/// Thread-safe. Spares questions whose answer follows from earlier ones; a blob that somebody takes
/// away meanwhile is missed by the registry, when a manifest names it.
class KnownBlobs {
 public:
  /// `repository` has the blob: it was put there, or the registry said so.
  void has(const std::string& repository, const oci::Descriptor& blob);
  /// True if it has, in that size.
  [[nodiscard]] bool is_there(const std::string& repository, const oci::Descriptor& blob);

  /// A document that was asked for is not in `repository`, which may not exist yet. `documents`:
  /// how many may be missed with it.
  void misses(const std::string& repository, unsigned documents);
  [[nodiscard]] bool missed_a_document(const std::string& repository);
  /// True if `repository` did not exist when documents were missed there, so that it has only what
  /// is_there(). `ask` finds out, once; who comes meanwhile waits. Not asked for a single document:
  /// a registry may list all its tags for the answer.
  bool was_new(const std::string& repository, const std::function<bool()>& ask);

 private:
  struct Known {
    std::mutex mutex;
    std::map<Digest, std::uint64_t> blobs;  // guarded by mutex: their sizes
    unsigned missed = 0;                    // guarded by mutex
    std::mutex asking;                      // held while the registry is asked
    std::optional<bool> is_new;             // guarded by asking
  };
  std::shared_ptr<Known> of(const std::string& repository);

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Known>> repositories_;  // guarded by mutex_
};

}  // namespace lade::docker
