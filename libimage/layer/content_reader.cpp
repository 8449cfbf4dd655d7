#include "libimage/layer/content_reader.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

constexpr std::uint64_t kBatchBytes = kReadWhole;
constexpr std::size_t kBatchEntries = 256;
constexpr std::size_t kBatchesAhead = 16;  // with kBatchBytes: 16 MiB

int open_quietly(const DirFd& dir, const char* name) noexcept {
  // O_NONBLOCK: a FIFO that took the file's place must not stop us.
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const int fd = ::openat(dir.get(), name, kFlags | O_NOATIME);
  if (fd >= 0 || errno != EPERM) return fd;
  return ::openat(dir.get(), name, kFlags);  // a file of another owner
}

}  // namespace

void throw_changed(const std::string& path) {
  throw Error(Errc::io, cat("read ", quoted(path), ": the file changed while it was read"));
}

UniqueFd FileOpener::open(const ContentRef& content, std::uint64_t size) {
  const std::size_t slash = content.path.rfind('/');
  const std::string_view parent =
      std::string_view(content.path).substr(0, slash == std::string::npos ? 0 : slash);
  if (!parent_ || content.root.get() != root_ || parent != parent_path_) {
    parent_ = DirFd(open_in_root(*content.root, parent, O_PATH | O_DIRECTORY));
    parent_path_ = parent;
    root_ = content.root.get();
  }
  const char* const name = content.path.c_str() + (slash == std::string::npos ? 0 : slash + 1);
  UniqueFd file(open_quietly(*parent_, name));
  if (!file) throw_errno(cat("open ", quoted(content.path)));
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) throw_errno(cat("stat ", quoted(content.path)));
  const auto has = static_cast<std::uint64_t>(st.st_size);
  const bool fits =
      content.offset ? *content.offset <= has && size <= has - *content.offset : size == has;
  if (!S_ISREG(st.st_mode) || !fits) {
    throw_changed(content.path);
  }
  return file;
}

ContentReader::ContentReader(std::span<const LayerEntry> entries, unsigned threads, Digests digests)
    : entries_(entries), digests_(digests) {
  plan();
  if (batches_.size() < 2) threads = 0;  // nothing to overlap
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
  }
}

ContentReader::~ContentReader() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void ContentReader::plan() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!has_content(entries_[i]) || entries_[i].attributes.size > kReadWhole) continue;
    const std::uint64_t size = entries_[i].attributes.size;
    if (batches_.empty() || batches_.back().size + size > kBatchBytes ||
        i - batches_.back().first >= kBatchEntries) {
      batches_.push_back({.first = i});
    }
    batches_.back().size += static_cast<std::size_t>(size);
    batches_.back().last = i + 1;
  }
}

void ContentReader::run(const std::stop_token& stop) {
  FileOpener opener;
  for (;;) {
    std::unique_lock lock(mutex_);
    const bool ready = changed_.wait(lock, stop, [&] {
      return claimed_ == batches_.size() || claimed_ < current_ + kBatchesAhead;
    });
    if (!ready || claimed_ == batches_.size()) return;
    Batch& batch = batches_[claimed_++];
    lock.unlock();
    read(batch, opener);
    lock.lock();
    batch.done = true;
    changed_.notify_all();
  }
}

void ContentReader::read(Batch& batch, FileOpener& opener) const {
  try {
    const std::size_t count = batch.last - batch.first;
    batch.bytes.reserve(batch.size + 1);
    batch.places.reserve(count);
    batch.digests.reserve(digests_ == Digests::none ? 0 : count);
    for (std::size_t i = batch.first; i < batch.last; ++i) read_entry(entries_[i], batch, opener);
  } catch (...) {  // handed to content(): this may be the top of a thread
    batch.error = std::current_exception();
  }
}

void ContentReader::read_entry(const LayerEntry& entry, Batch& batch, FileOpener& opener) const {
  const std::size_t at = batch.bytes.size();
  const bool here = has_content(entry) && entry.attributes.size <= kReadWhole;
  const auto size = static_cast<std::size_t>(here ? entry.attributes.size : 0);
  if (here && entry.content.text) {
    if (entry.content.text->size() != size) throw_changed(entry.path);
    batch.bytes += *entry.content.text;
  } else if (here) {
    const UniqueFd file = opener.open(entry.content, size);
    // One more of a whole file: growth shows in the same call.
    const std::size_t wanted = entry.content.offset ? size : size + 1;
    const std::uint64_t begin = entry.content.offset.value_or(0);
    batch.bytes.resize(at + size + 1);
    std::size_t filled = 0;
    while (filled < wanted) {
      const ssize_t got = ::pread(file.get(), batch.bytes.data() + at + filled, wanted - filled,
                                  static_cast<off_t>(begin + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno(cat("read ", quoted(entry.content.path)));
      filled += static_cast<std::size_t>(got);
      if (got == 0 || filled == size) break;
    }
    if (filled != size) throw_changed(entry.content.path);
    batch.bytes.resize(at + size);
  }
  if (digests_ == Digests::sha256) {
    batch.digests.emplace_back();
    if (here && !entry.content.offset)
      batch.digests.back() = sha256_of(std::string_view(batch.bytes).substr(at, size));
  }
  batch.places.emplace_back(at, size);
}

ContentReader::Content ContentReader::content(std::size_t index) {
  if (index >= batches_[current_].last) {
    const std::scoped_lock lock(mutex_);
    while (index >= batches_[current_].last) {
      std::string().swap(batches_[current_].bytes);
      batches_[current_].places = {};
      batches_[current_].digests = {};
      ++current_;
    }
    changed_.notify_all();
  }
  Batch& batch = batches_[current_];
  if (threads_.empty()) {
    if (!batch.done) read(batch, own_opener_);
    batch.done = true;
  } else {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batch.done; });
  }
  const std::size_t at = index - batch.first;
  if (at >= batch.places.size()) std::rethrow_exception(batch.error);
  const auto [begin, size] = batch.places[at];
  return {std::string_view(batch.bytes).substr(begin, size),
          digests_ == Digests::none ? std::nullopt : batch.digests[at]};
}

}  // namespace lade
