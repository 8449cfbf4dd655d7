#include "libimage/store/blob_file.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

// Small enough that hashing starts soon after copying, large enough that a wake-up costs nothing.
constexpr std::uint64_t kCopyStep = std::uint64_t{4} * 1024 * 1024;

std::uint64_t regular_size(int fd, std::string_view what) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno(cat("stat ", what));
  if (!S_ISREG(st.st_mode)) {
    throw Error(Errc::invalid_content, cat(what, " is not a regular file"));
  }
  return static_cast<std::uint64_t>(st.st_size);
}

/// Reads `fd` back behind a writer that reports how far it got, on a thread of its own.
class FollowingCheck {
 public:
  FollowingCheck(int fd, oci::Descriptor blob)
      : fd_(fd), check_(BlobHint{.expected = std::move(blob)}), thread_([this] { run(); }) {}
  ~FollowingCheck() { end(); }
  FollowingCheck(const FollowingCheck&) = delete;
  FollowingCheck& operator=(const FollowingCheck&) = delete;

  void advance(std::uint64_t written) {
    const std::scoped_lock lock(mutex_);
    written_ = written;
    changed_.notify_one();
  }

  /// Throws unless all that was written is the blob.
  void finish() {
    end();
    if (failure_) std::rethrow_exception(failure_);
    (void)check_.result({});
  }

 private:
  void end() {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
      changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

  void run() {
    try {
      std::vector<std::byte> buffer(kChunkBytes);
      for (std::uint64_t at = 0;;) {
        std::uint64_t until = 0;
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return ended_ || written_ > at; });
          until = written_;
        }
        if (until == at) return;
        while (at < until) at += hash_some(at, until, buffer);
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  std::uint64_t hash_some(std::uint64_t at, std::uint64_t until, std::span<std::byte> buffer) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), until - at));
    const ssize_t got = ::pread(fd_, buffer.data(), want, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) return 0;
    if (got < 0) throw_errno("read copy");
    if (got == 0) throw Error(Errc::io, "read copy: it is shorter than what was written");
    check_.add(buffer.first(static_cast<std::size_t>(got)));
    return static_cast<std::uint64_t>(got);
  }

  int fd_;
  BlobCheck check_;  // the thread's until it is joined
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t written_ = 0;   // guarded by mutex_
  bool ended_ = false;          // guarded by mutex_
  std::exception_ptr failure_;  // written by the thread, read after join
  std::thread thread_;
};

bool cannot_copy_in_kernel(int error) {
  return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
         error == EBADF || error == ETXTBSY;
}

/// False if not even the first byte can be copied this way.
bool copy_range(int from, int to, std::uint64_t size, FollowingCheck& check) {
  for (std::uint64_t at = 0; at < size;) {
    auto offset = static_cast<off64_t>(at);
    const auto want = static_cast<std::size_t>(std::min(kCopyStep, size - at));
    const ssize_t got = ::copy_file_range(from, &offset, to, nullptr, want, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (at == 0 && cannot_copy_in_kernel(errno)) return false;
      throw_errno("copy file");
    }
    if (got == 0) {
      if (at == 0) return false;  // file systems that make up their content, e.g. /proc
      throw Error(Errc::size_mismatch, "copy file: it became shorter while it was read");
    }
    at += static_cast<std::uint64_t>(got);
    check.advance(at);
  }
  return true;
}

// Less is soon had again.
constexpr std::uint64_t kWorthKeeping = std::uint64_t{4} << 20;
// Where a thread that writes while the next bytes are fetched and verified pays.
constexpr std::uint64_t kOverlapBytes = std::uint64_t{4} << 20;

PendingFile begin_file(const DirFd& dir, const BlobHint& hint,
                       std::string (*name_of)(const Digest&), PendingFile::Kind kind) {
  if (!hint.expected || hint.expected->size < 2 * kWorthKeeping ||
      !hint.expected->digest.verifiable()) {
    return PendingFile(dir, kind);
  }
  return PendingFile(dir, name_of(hint.expected->digest), kind);
}

/// How much of what `file` begins with can be part of the blob.
std::uint64_t usable_part(PendingFile& file, const BlobHint& hint) {
  if (file.kept() > 0 && file.kept() > hint.expected->size) file.start_over();
  return file.kept();
}

/// Nobody has verified the first `kept` bytes: they are hashed again, and so is what follows.
BlobCheck check_of(const PendingFile& file, std::uint64_t kept, BlobHint hint) {
  if (kept > 0) hint.verified_by_source = false;
  BlobCheck check(std::move(hint));
  std::vector<std::byte> buffer(kept > 0 ? kChunkBytes : 0);
  for (std::uint64_t at = 0; at < kept;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), kept - at));
    const ssize_t got = ::pread(file.fd(), buffer.data(), want, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw_errno("read what was kept of the blob");
    check.add(std::span(buffer).first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
  return check;
}

}  // namespace

std::shared_ptr<const UniqueFd> open_blob_file(const DirFd& dir, const std::string& name,
                                               const oci::Descriptor& blob) {
  const auto what = [&] { return cat("open blob ", blob.digest.str()); };
  return with_context(what, [&] {
    // O_NONBLOCK: a FIFO in place of the blob must not block the open.
    auto fd = std::make_shared<UniqueFd>(::openat(
        dir.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!*fd) {
      if (errno == ELOOP) throw Error(Errc::invalid_content, "the file is a symbolic link");
      throw_errno(quoted(name));
    }
    const std::uint64_t size = regular_size(fd->get(), "the file");
    if (size != blob.size) {
      throw Error(Errc::size_mismatch,
                  cat("the file has ", size, " instead of ", blob.size, " bytes"));
    }
    return std::shared_ptr<const UniqueFd>(std::move(fd));
  });
}

bool has_blob_file(const DirFd& dir, const std::string& name, const oci::Descriptor& blob) {
  const std::optional<struct stat> st = stat_entry(dir, name);
  return st && S_ISREG(st->st_mode) && static_cast<std::uint64_t>(st->st_size) == blob.size;
}

FileBlobWriter::FileBlobWriter(const DirFd& dir, BlobHint hint,
                               std::string (*name_of)(const Digest&), PendingFile::Kind kind)
    : file_(begin_file(dir, hint, name_of, kind)),
      kept_(usable_part(file_, hint)),
      check_(check_of(file_, kept_, std::move(hint))),
      name_of_(name_of) {}

FileBlobWriter::~FileBlobWriter() {
  if (committed_ || wrong_) return;
  try {
    if (behind_) behind_->finish();
    if (regular_size(file_.fd(), "the file") >= kWorthKeeping) file_.keep();
  } catch (const std::exception&) {  // then there is less to continue with
    return;
  }
}

void FileBlobWriter::write(ByteView data) {
  try {
    check_.add(data);
  } catch (const Error&) {
    wrong_ = true;
    throw;
  }
  const bool large = check_.expected() && check_.expected()->size >= kOverlapBytes;
  if (large && !behind_) behind_ = std::make_unique<AsyncSink>(file_);
  if (behind_) {
    behind_->write(data);
  } else {
    file_.write(data);
  }
}

oci::Descriptor FileBlobWriter::commit(oci::MediaType media_type) {
  if (behind_) behind_->finish();
  behind_.reset();
  std::optional<oci::Descriptor> blob;
  try {
    blob = check_.result(std::move(media_type));
  } catch (const Error& e) {
    wrong_ = e.code() == Errc::digest_mismatch;
    throw;
  }
  const std::string name = name_of_(blob->digest);
  if (!has_blob_file(file_.dir(), name, *blob)) file_.publish(name);
  committed_ = true;
  return *std::move(blob);
}

bool copy_blob_file(const oci::Descriptor& blob, const UniqueFd& from, const DirFd& dir,
                    const std::string& name, PendingFile::Kind kind) {
  const auto what = [&] { return cat("copy blob ", blob.digest.str()); };
  return with_context(what, [&] {
    if (!blob.digest.verifiable()) return false;
    const std::uint64_t size = regular_size(from.get(), "the source");
    if (size != blob.size) {
      throw Error(Errc::size_mismatch,
                  cat("the file has ", size, " instead of ", blob.size, " bytes"));
    }
    PendingFile file(dir, kind);
    FollowingCheck check(file.fd(), blob);
    if (::ioctl(file.fd(), FICLONE, from.get()) == 0) {
      check.advance(size);
    } else if (!copy_range(from.get(), file.fd(), size, check)) {
      return false;
    }
    check.finish();
    if (regular_size(file.fd(), "the copy") != size) {
      throw Error(Errc::size_mismatch, "the file changed while it was copied");
    }
    if (!has_blob_file(dir, name, blob)) file.publish(name);
    return true;
  });
}

}  // namespace lade
