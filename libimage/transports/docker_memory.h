/// What is known of one registry beyond the command: where blobs were seen, which uploads can be
/// continued, how the registry wants them. Nothing depends on it being there or true. Internal.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/digest/digest.h"
#include "libimage/io/file_lock.h"

namespace lade::docker {

/// How a registry, or the proxy before it, wants blobs.
struct UploadTraits {
  /// Largest part of a blob that one request may carry; 0: whole blobs go in one.
  std::uint64_t chunk_bytes = 0;
  bool loses_chunks = false;        ///< takes several parts for success, but stores something else
  bool needs_length = false;        ///< takes no request whose length is not told
  bool needs_mount_source = false;  ///< fails where a mount does not say from where
  bool operator==(const UploadTraits&) const = default;
};

/// An upload that broke off.
struct SavedUpload {
  std::string location;
  std::uint64_t chunk_bytes = 0;  ///< as UploadTraits; how it was being sent
  bool operator==(const SavedUpload&) const = default;
};

/// Blobs and the repositories in which they were seen, the last seen last.
using Sightings = std::vector<std::pair<std::string, std::string>>;

// The files' formats, for Memory and its fuzz target: lines of words. What is not understood is
// left out.
UploadTraits parse_traits(std::string_view text);
std::string text_of(const UploadTraits& traits);
std::optional<SavedUpload> parse_upload(std::string_view text);
std::string text_of(const SavedUpload& upload);
Sightings parse_sightings(std::string_view text);
std::string text_of(const Sightings& sightings);

/// Thread-safe, and safe between processes: files are replaced whole, read-change-write is locked.
/// No member throws: what cannot be read is not known, what cannot be written is forgotten.
class Memory {
 public:
  /// Keeps files below `cache_dir`/registries/`registry`; "" keeps everything for this object's
  /// life only.
  Memory(std::string cache_dir, std::string_view registry);
  /// Writes the sightings.
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] bool outlives_us() const noexcept { return !directory_.empty(); }

  UploadTraits traits() noexcept;
  void learn(const std::function<void(UploadTraits&)>& change) noexcept;

  /// Who has it may save and continue the upload of `blob` to `repository`: while one process is at
  /// it, others do it their own way.
  struct Claim {
    bool ours = false;
    std::optional<FileLock> lock = {};
  };
  Claim claim_upload(const std::string& repository, const Digest& blob) noexcept;
  /// The upload of `blob` to `repository` that can be continued; it is taken out.
  std::optional<SavedUpload> take_upload(const std::string& repository,
                                         const Digest& blob) noexcept;
  void save_upload(const std::string& repository, const Digest& blob,
                   const SavedUpload& upload) noexcept;
  void forget_upload(const std::string& repository, const Digest& blob) noexcept;

  /// Other repositories in which `blob` was seen, the last first, at most `limit`.
  std::vector<std::string> repositories_with(const Digest& blob, const std::string& other_than,
                                             std::size_t limit) noexcept;
  void saw(const Digest& blob, const std::string& repository) noexcept;
  void did_not_see(const Digest& blob, const std::string& repository) noexcept;

 private:
  void load_sightings();
  void write_sightings();
  [[nodiscard]] DirFd directory() const;
  [[nodiscard]] std::string read(const std::string& name) const;
  void write(const std::string& name, std::string_view text) const;

  std::string directory_;  // "" for none
  std::mutex mutex_;
  std::optional<UploadTraits> traits_;          // guarded by mutex_
  std::map<std::string, SavedUpload> uploads_;  // guarded by mutex_; where there is no directory
  bool loaded_ = false;                         // guarded by mutex_: the file's sightings are in
  std::map<std::string, std::vector<std::string>> places_;  // guarded by mutex_; by digest
  Sightings news_;                                          // guarded by mutex_
  std::set<std::pair<std::string, std::string>> gone_;      // guarded by mutex_
};

}  // namespace lade::docker
