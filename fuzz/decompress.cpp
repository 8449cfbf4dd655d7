// Every codec's decoder: the first byte chooses the codec and how the stream is cut.
#include <algorithm>
#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/compress/codec.h"

namespace {

class CutSource final : public lade::Source {
 public:
  CutSource(lade::ByteView data, std::size_t most) : rest_(data), most_(most) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = std::min({out.size(), most_, rest_.size()});
    std::ranges::copy(rest_.first(count), out.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  lade::ByteView rest_;
  std::size_t most_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& codecs = lade::codecs();
  const std::size_t choice = data[0];
  CutSource in({reinterpret_cast<const std::byte*>(data + 1), size - 1},
               choice >= 128 ? 1 + choice % 7 : size);
  try {
    const auto source = codecs[choice % codecs.size()].decompress_from(
        in, {.max_window_log = 20, .max_output = std::uint64_t{4} * 1024 * 1024});
    (void)lade::drain(*source);
  } catch (const lade::Error&) {
    // What is not a stream is refused.
  }
  return 0;
}
