#include "libimage/transports/docker_memory.h"

#include <algorithm>
#include <chrono>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/http/url.h"
#include "libimage/io/file_lock.h"
#include "libimage/io/path.h"
#include "libimage/store/pending_file.h"

namespace lade::docker {
namespace {

constexpr const char* kTraitsFile = "traits";
constexpr const char* kBlobsFile = "blobs";
constexpr const char* kLockFile = "lock";
constexpr std::string_view kUploadPrefix = "upload-";
constexpr std::string_view kClaimPrefix = "claim-";
constexpr std::size_t kMaxSightings = 20'000;
constexpr std::size_t kMaxPlaces = 8;  // of one blob
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{8} << 20;
// Registries drop uploads that nobody continues after a day or a week.
constexpr std::chrono::hours kUploadsLast{24};

std::string name_for(std::string_view prefix, const std::string& repository, const Digest& blob) {
  return cat(prefix, sha256_of(cat(repository, "@", blob.str())).encoded());
}

bool is_printable(std::string_view word) {
  return !word.empty() &&
         std::all_of(word.begin(), word.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

void add_place(std::vector<std::string>& places, const std::string& repository) {
  std::erase(places, repository);
  places.push_back(repository);
  if (places.size() > kMaxPlaces) places.erase(places.begin());
}

/// The second of two words; "" if the line begins with another.
std::string_view value_of(std::string_view line, std::string_view name) {
  if (!line.starts_with(name) || line.substr(name.size(), 1) != " ") return {};
  return line.substr(name.size() + 1);
}

void sweep_uploads(const DirFd& dir) {
  for (const std::string& name : list_names(dir)) {
    if (!name.starts_with(kUploadPrefix) && !name.starts_with(kClaimPrefix)) continue;
    const auto st = stat_entry(dir, name);
    if (!st) continue;
    const auto age =
        std::chrono::system_clock::now() - std::chrono::system_clock::from_time_t(st->st_mtime);
    if (age > kUploadsLast) ::unlinkat(dir.get(), name.c_str(), 0);
  }
}

}  // namespace

UploadTraits parse_traits(std::string_view text) {
  UploadTraits traits;
  for (const std::string_view line : split(text, '\n')) {
    if (const auto bytes = parse_decimal(value_of(line, "chunk-bytes"))) {
      traits.chunk_bytes = *bytes;
    }
    if (line == "loses-chunks") traits.loses_chunks = true;
    if (line == "needs-length") traits.needs_length = true;
    if (line == "needs-mount-source") traits.needs_mount_source = true;
  }
  return traits;
}

std::string text_of(const UploadTraits& traits) {
  return cat("chunk-bytes ", traits.chunk_bytes, "\n", traits.loses_chunks ? "loses-chunks\n" : "",
             traits.needs_length ? "needs-length\n" : "",
             traits.needs_mount_source ? "needs-mount-source\n" : "");
}

std::optional<SavedUpload> parse_upload(std::string_view text) {
  SavedUpload upload;
  for (const std::string_view line : split(text, '\n')) {
    if (const auto location = value_of(line, "location"); is_printable(location)) {
      upload.location = location;
    }
    if (const auto bytes = parse_decimal(value_of(line, "chunk-bytes"))) {
      upload.chunk_bytes = *bytes;
    }
  }
  if (upload.location.empty()) return std::nullopt;
  return upload;
}

std::string text_of(const SavedUpload& upload) {
  return cat("location ", upload.location, "\nchunk-bytes ", upload.chunk_bytes, "\n");
}

Sightings parse_sightings(std::string_view text) {
  Sightings sightings;
  for (const std::string_view line : split(text, '\n')) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view repository = line.substr(space + 1);
    if (!is_printable(repository) || !Digest::try_parse(line.substr(0, space))) continue;
    sightings.emplace_back(line.substr(0, space), repository);
  }
  return sightings;
}

std::string text_of(const Sightings& sightings) {
  std::string text;
  for (const auto& [digest, repository] : sightings) text += cat(digest, " ", repository, "\n");
  return text;
}

Memory::Memory(std::string cache_dir, std::string_view registry)
    : directory_(cache_dir.empty() ? ""
                                   : cat(cache_dir, "/registries/", percent_encoded(registry))) {}

Memory::~Memory() {
  try {
    write_sightings();
  } catch (const std::exception&) {  // then mounts are not tried the next time
    return;
  }
}

DirFd Memory::directory() const { return open_dir(directory_); }

std::string Memory::read(const std::string& name) const {
  if (directory_.empty() || ::access(directory_.c_str(), F_OK) != 0) return {};
  const DirFd dir = directory();
  return stat_entry(dir, name) ? read_file_at(dir, name, kMaxFileBytes) : "";
}

void Memory::write(const std::string& name, std::string_view text) const {
  if (directory_.empty()) return;
  const DirFd dir = create_dir(directory_, 0700);
  // Locations of uploads may hold what lets others write to them.
  PendingFile file(dir, PendingFile::Kind::unnamed, 0600);
  file.write(bytes_of(text));
  file.publish(name);
}

UploadTraits Memory::traits() noexcept {
  const std::scoped_lock lock(mutex_);
  if (traits_) return *traits_;
  traits_.emplace();
  try {
    traits_ = parse_traits(read(kTraitsFile));
  } catch (const std::exception&) {  // nothing is known
    return {};
  }
  return *traits_;
}

void Memory::learn(const std::function<void(UploadTraits&)>& change) noexcept {
  const UploadTraits before = traits();
  const std::scoped_lock lock(mutex_);
  try {
    change(*traits_);
    if (*traits_ != before) write(kTraitsFile, text_of(*traits_));
  } catch (const std::exception&) {  // known for this command only
    return;
  }
}

Memory::Claim Memory::claim_upload(const std::string& repository, const Digest& blob) noexcept {
  if (directory_.empty()) return {.ours = true};
  try {
    const DirFd dir = create_dir(directory_, 0700);
    auto lock = FileLock::try_lock(dir, name_for(kClaimPrefix, repository, blob),
                                   FileLock::Mode::exclusive);
    const bool ours = lock.has_value();
    return {.ours = ours, .lock = std::move(lock)};
  } catch (const std::exception&) {  // then it begins anew, and is not saved
    return {};
  }
}

std::optional<SavedUpload> Memory::take_upload(const std::string& repository,
                                               const Digest& blob) noexcept {
  const std::scoped_lock lock(mutex_);
  try {
    const std::string name = name_for(kUploadPrefix, repository, blob);
    if (const auto found = uploads_.find(name); found != uploads_.end()) {
      const SavedUpload upload = found->second;
      uploads_.erase(found);
      return upload;
    }
    auto upload = parse_upload(read(name));
    if (!upload || ::unlinkat(directory().get(), name.c_str(), 0) != 0) return std::nullopt;
    return upload;
  } catch (const std::exception&) {  // then it begins anew
    return std::nullopt;
  }
}

void Memory::save_upload(const std::string& repository, const Digest& blob,
                         const SavedUpload& upload) noexcept {
  const std::scoped_lock lock(mutex_);
  try {
    const std::string name = name_for(kUploadPrefix, repository, blob);
    if (directory_.empty()) {
      uploads_[name] = upload;
      return;
    }
    write(name, text_of(upload));
    sweep_uploads(directory());
  } catch (const std::exception&) {  // then it cannot be continued
    return;
  }
}

void Memory::forget_upload(const std::string& repository, const Digest& blob) noexcept {
  (void)take_upload(repository, blob);
  if (directory_.empty()) return;
  try {
    ::unlinkat(directory().get(), name_for(kClaimPrefix, repository, blob).c_str(), 0);
  } catch (const std::exception&) {  // swept some day
    return;
  }
}

void Memory::load_sightings() {
  if (std::exchange(loaded_, true)) return;
  std::map<std::string, std::vector<std::string>> places;
  for (const auto& sighting : parse_sightings(read(kBlobsFile))) {
    if (!gone_.contains(sighting)) add_place(places[sighting.first], sighting.second);
  }
  for (const auto& [digest, repository] : news_) add_place(places[digest], repository);
  places_ = std::move(places);
}

std::vector<std::string> Memory::repositories_with(const Digest& blob,
                                                   const std::string& other_than,
                                                   std::size_t limit) noexcept {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> found;
  try {
    load_sightings();
    const auto places = places_.find(blob.str());
    if (places == places_.end()) return found;
    for (auto it = places->second.rbegin(); it != places->second.rend(); ++it) {
      if (found.size() < limit && *it != other_than) found.push_back(*it);
    }
  } catch (const std::exception&) {  // then no mount is tried
    return found;
  }
  return found;
}

void Memory::saw(const Digest& blob, const std::string& repository) noexcept {
  const std::scoped_lock lock(mutex_);
  try {
    if (news_.size() >= kMaxSightings) return;
    std::vector<std::string>& places = places_[blob.str()];
    if (!places.empty() && places.back() == repository) return;
    add_place(places, repository);
    news_.emplace_back(blob.str(), repository);
    gone_.erase({blob.str(), repository});
  } catch (const std::exception&) {  // only memory can lack
    return;
  }
}

void Memory::did_not_see(const Digest& blob, const std::string& repository) noexcept {
  const std::scoped_lock lock(mutex_);
  try {
    std::erase(places_[blob.str()], repository);
    gone_.emplace(blob.str(), repository);
  } catch (const std::exception&) {  // it is tried again some day
    return;
  }
}

void Memory::write_sightings() {
  const std::scoped_lock lock(mutex_);
  if (directory_.empty() || (news_.empty() && gone_.empty())) return;
  const DirFd dir = create_dir(directory_, 0700);
  const FileLock alone(dir, kLockFile, FileLock::Mode::exclusive);
  Sightings all = parse_sightings(read(kBlobsFile));
  const std::set<std::pair<std::string, std::string>> known(all.begin(), all.end());
  const std::set<std::pair<std::string, std::string>> seen_now(news_.begin(), news_.end());
  const bool nothing_new =
      std::includes(known.begin(), known.end(), seen_now.begin(), seen_now.end());
  const bool nothing_gone = std::none_of(
      gone_.begin(), gone_.end(), [&](const auto& sighting) { return known.contains(sighting); });
  if (nothing_new && nothing_gone) return;
  std::erase_if(all, [&](const auto& sighting) {
    return gone_.contains(sighting) || seen_now.contains(sighting);
  });
  for (const auto& sighting : news_) {
    if (!gone_.contains(sighting)) all.push_back(sighting);
  }
  if (all.size() > kMaxSightings) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(kMaxSightings));
  }
  write(kBlobsFile, text_of(all));
}

}  // namespace lade::docker
