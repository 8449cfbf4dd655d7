/// Reads the content of a layer's files ahead of the tar writer. Internal to the layer module.
#pragma once
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/digest/hasher.h"
#include "libimage/layer/entry.h"

namespace lade {

/// Files up to this size are read whole, ahead; larger ones are streamed by who needs them.
inline constexpr std::uint64_t kReadWhole = std::uint64_t{1} << 20U;

/// True if the tar holds bytes for `entry`.
inline bool has_content(const LayerEntry& entry) noexcept {
  return entry.kind == LayerEntry::Kind::file && entry.attributes.type == FileType::regular;
}

/// Opens files of trees; the directory of the last one is kept open. One for each thread.
class FileOpener {
 public:
  /// The file of `content`, a regular one of `size` bytes: Error{io} if it has changed.
  UniqueFd open(const ContentRef& content, std::uint64_t size);

 private:
  const DirFd* root_ = nullptr;  // compared only
  std::string parent_path_;
  std::optional<DirFd> parent_;
};

[[noreturn]] void throw_changed(const std::string& path);

/// Reads the small files of `entries` in their order on threads of its own, some 16 MiB ahead.
class ContentReader {
 public:
  enum class Digests { none, sha256 };
  /// `entries` outlives the object. With 0 threads, next() reads.
  ContentReader(std::span<const LayerEntry> entries, unsigned threads, Digests digests);
  ~ContentReader();
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  struct Content {
    std::string_view bytes;        ///< valid until the next call
    std::optional<Digest> digest;  ///< if asked for
  };
  /// The content of entry `index`, which has content of at most kReadWhole bytes; indexes ascend.
  /// Throws what went wrong in reading it.
  Content content(std::size_t index);

 private:
  /// Neighbouring entries read in one go, so that threads meet once for many small files.
  struct Batch {
    std::size_t first = 0;
    std::size_t last = 0;  // one past
    std::size_t size = 0;  // of all contents
    bool done = false;     // guarded by mutex_
    std::string bytes = {};
    std::vector<std::pair<std::size_t, std::size_t>> places = {};  // of each entry, in `bytes`
    std::vector<std::optional<Digest>> digests = {};
    std::exception_ptr error = {};  // about the entry behind the last place
  };
  void plan();
  void run(const std::stop_token& stop);
  void read(Batch& batch, FileOpener& opener) const;
  void read_entry(const LayerEntry& entry, Batch& batch, FileOpener& opener) const;

  std::span<const LayerEntry> entries_;
  Digests digests_;
  std::vector<Batch> batches_;
  std::size_t current_ = 0;  // the batch in use by the writer; guarded by mutex_ for writing
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t claimed_ = 0;  // batches given to threads; guarded by mutex_
  FileOpener own_opener_;
  std::vector<std::jthread> threads_;
};

}  // namespace lade
