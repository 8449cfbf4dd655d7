// Indexes any bytes as an archive: every member that is found lies inside, and what an image
// archive says of itself is read without harm.
#include "libimage/transports/archive_index.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/transports/docker_archive_manifest.h"

#include "fuzz/property.h"

namespace {

/// Read as a stream an archive is what it is at random.
void require_same_as_stream(const lade::ArchiveIndex& index, std::string_view bytes) {
  lade::StringSource stream(bytes);
  lade::fuzz::require(lade::ArchiveIndex::read(stream, {}).members() == index.members());
}

bool is_refused_as_stream(std::string_view bytes) {
  lade::StringSource stream(bytes);
  try {
    (void)lade::ArchiveIndex::read(stream, {});
    return false;
  } catch (const lade::Error&) {
    return true;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* chars = reinterpret_cast<const char*>(data);
  const auto read_at = [&](std::uint64_t offset, std::span<std::byte> out) {
    if (offset >= size) return std::size_t{0};
    const std::size_t count = std::min(out.size(), size - static_cast<std::size_t>(offset));
    std::memcpy(out.data(), data + offset, count);
    return count;
  };
  try {
    const lade::ArchiveIndex index = lade::ArchiveIndex::read(read_at, size);
    require_same_as_stream(index, std::string_view(chars, size));
    for (const lade::ArchiveMember& member : index.members()) {
      lade::fuzz::require(member.offset <= size && member.size <= size - member.offset);
      lade::fuzz::require(!member.path.starts_with('/'));
      try {
        const lade::ArchiveMember* found = index.find(member.path);
        lade::fuzz::require(found == nullptr || found->kind == lade::ArchiveMember::Kind::file);
        if (found == nullptr) continue;
        const auto images = lade::parse_docker_archive_manifest(
            std::string_view(chars + found->offset, static_cast<std::size_t>(found->size)));
        lade::fuzz::require(lade::parse_docker_archive_manifest(lade::serialise(images)) == images);
      } catch (const lade::Error&) {  // refused, as lies are
      }
    }
  } catch (const lade::Error&) {
    lade::fuzz::require(is_refused_as_stream(std::string_view(chars, size)));
  }
  return 0;
}
