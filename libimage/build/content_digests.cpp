#include "libimage/build/content_digests.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>
#include <tuple>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/io/atomic_file.h"

namespace lade::build {
namespace {

constexpr std::string_view kHeader = "lade content digests 1\n";
constexpr std::size_t kMaxRecords = 4'000'000;  // 320 MB: a store is no place for more
constexpr std::int64_t kRacySeconds = 1;

bool before(const ContentDigests::Record& a, const ContentDigests::Record& b) noexcept {
  return std::tie(a.stamp.device, a.stamp.inode) < std::tie(b.stamp.device, b.stamp.inode);
}

}  // namespace

FileStamp stamp_of(const struct stat& file) noexcept {
  return {.device = file.st_dev,
          .inode = file.st_ino,
          .size = static_cast<std::uint64_t>(file.st_size),
          .mtime_seconds = file.st_mtim.tv_sec,
          .ctime_seconds = file.st_ctim.tv_sec,
          .mtime_nanoseconds = static_cast<std::uint32_t>(file.st_mtim.tv_nsec),
          .ctime_nanoseconds = static_cast<std::uint32_t>(file.st_ctim.tv_nsec)};
}

ContentDigests::ContentDigests(const DirFd& dir, std::string name)
    : dir_(dir), name_(std::move(name)) {
  const UniqueFd fd(::openat(dir_.get(), name_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size < kHeader.size() || (size - kHeader.size()) % sizeof(Record) != 0) return;
  const std::size_t count = (size - kHeader.size()) / sizeof(Record);
  if (count > kMaxRecords) return;
  char header[kHeader.size()];
  if (::pread(fd.get(), header, sizeof header, 0) != static_cast<ssize_t>(sizeof header) ||
      std::string_view(header, sizeof header) != kHeader)
    return;
  std::vector<Record> records(count);
  char* out = reinterpret_cast<char*>(records.data());
  std::size_t done = 0;
  while (done < count * sizeof(Record)) {
    const ssize_t got = ::pread(fd.get(), out + done, count * sizeof(Record) - done,
                                static_cast<off_t>(kHeader.size() + done));
    if (got <= 0) return;
    done += static_cast<std::size_t>(got);
  }
  if (std::is_sorted(records.begin(), records.end(), before)) known_ = std::move(records);
}

std::optional<Sha256> ContentDigests::find(const FileStamp& file) const {
  const auto found =
      std::lower_bound(known_.begin(), known_.end(), Record{.stamp = file, .sha = {}}, before);
  if (found == known_.end() || found->stamp != file) return std::nullopt;
  return found->sha;
}

bool ContentDigests::is_recordable(const FileStamp& file, const Timestamp& start) noexcept {
  return file.ctime_seconds + kRacySeconds < start.seconds;
}

void ContentDigests::save(std::vector<Record> added) noexcept {
  try {
    if (added.empty()) return;
    std::stable_sort(added.begin(), added.end(), before);
    std::vector<Record> all;
    all.reserve(known_.size() + added.size());
    std::merge(added.begin(), added.end(), known_.begin(), known_.end(), std::back_inserter(all),
               before);  // of equals the added one comes first, and is kept
    all.erase(std::unique(all.begin(), all.end(),
                          [](const Record& a, const Record& b) { return !before(a, b); }),
              all.end());
    if (all.size() > kMaxRecords) all.assign(added.begin(), added.end());
    AtomicFile file(dir_, name_, 0600);
    file.write(bytes_of(kHeader));
    file.write(std::as_bytes(std::span(all)));
    file.commit();
  } catch (const std::exception&) {  // only a cache: the build itself succeeded
  }
}

}  // namespace lade::build
