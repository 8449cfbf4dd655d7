#include "libimage/store/range_reader.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/store/text_source.h"

namespace lade {
namespace {

/// The first `size` bytes of a stream.
class LimitedSource final : public Source {
 public:
  LimitedSource(std::unique_ptr<Source> source, std::uint64_t size)
      : source_(std::move(source)), left_(size) {}
  std::size_t read(std::span<std::byte> out) override {
    if (left_ == 0) return 0;
    const std::size_t got = source_->read(
        out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_))));
    left_ -= got;
    return got;
  }

 private:
  std::unique_ptr<Source> source_;
  std::uint64_t left_;
};

}  // namespace

std::unique_ptr<Source> open_range(Reader& reader, const oci::Descriptor& blob,
                                   std::uint64_t offset, std::uint64_t size) {
  if (offset > blob.size || size > blob.size - offset) {
    throw Error(Errc::invalid_argument, cat("the ", size, " bytes at ", offset,
                                            " end behind the end of ", blob.digest.str()));
  }
  if (size == 0) return std::make_unique<TextSource>("");
  auto* const parts = dynamic_cast<RangeReader*>(&reader);
  return std::make_unique<LimitedSource>(parts != nullptr && !blob.data
                                             ? parts->open_part(blob, offset, size)
                                             : reader.open_at(blob, offset),
                                         size);
}

}  // namespace lade
