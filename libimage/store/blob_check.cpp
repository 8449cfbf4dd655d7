#include "libimage/store/blob_check.h"

#include <cassert>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

[[noreturn]] void throw_wrong_size(const oci::Descriptor& expected, std::string_view got) {
  throw Error(Errc::size_mismatch, cat("write ", expected.digest.str(), ": ", got, " instead of ",
                                       expected.size, " bytes"));
}

[[noreturn]] void throw_wrong_digest(const oci::Descriptor& expected, const Digest& got) {
  throw Error(Errc::digest_mismatch,
              cat("write ", expected.digest.str(), ": the content's digest is ", got.str()));
}

}  // namespace

BlobCheck::BlobCheck(BlobHint hint) : hint_(std::move(hint)) {
  if (!hint_.expected) {
    hasher_.emplace();
  } else if (!hint_.verified_by_source) {
    hasher_.emplace(hint_.expected->digest.algorithm());
  }
}

void BlobCheck::add(ByteView data) {
  bytes_ += data.size();
  if (hint_.expected && bytes_ > hint_.expected->size) {
    throw_wrong_size(*hint_.expected, "more content");
  }
  if (hasher_) hasher_->update(data);
}

void BlobCheck::skip(std::uint64_t bytes) {
  assert(!hasher_);
  bytes_ += bytes;
}

oci::Descriptor BlobCheck::result(oci::MediaType media_type) const {
  if (!hint_.expected) {
    return {.media_type = std::move(media_type), .digest = hasher_->digest(), .size = bytes_};
  }
  const oci::Descriptor& expected = *hint_.expected;
  if (bytes_ != expected.size) throw_wrong_size(expected, cat(bytes_));
  if (hasher_) {
    const Digest got = hasher_->digest();
    if (got != expected.digest) throw_wrong_digest(expected, got);
  }
  return {.media_type = std::move(media_type), .digest = expected.digest, .size = bytes_};
}

void check_document(const oci::Descriptor& descriptor, std::string_view raw) {
  BlobCheck check(BlobHint{.expected = descriptor});
  check.add(bytes_of(raw));
  (void)check.result(descriptor.media_type);
}

}  // namespace lade
