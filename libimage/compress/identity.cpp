#include "libimage/compress/codec_table.h"
#include "libimage/compress/decoder.h"

namespace lade {
namespace {

class IdentitySink final : public Sink {
 public:
  explicit IdentitySink(Sink& out) : out_(out) {}
  void write(ByteView data) override { out_.write(data); }
  void finish() override { out_.finish(); }

 private:
  Sink& out_;
};

class IdentitySource final : public DecoderSource {
 public:
  IdentitySource(Source& in, const DecompressOptions& options)
      : DecoderSource("identity", in, options), in_(in) {}

 private:
  std::size_t decode(std::span<std::byte> out) override {
    const std::size_t count = in_.read(out);
    consumed_ += count;
    return count;
  }
  [[nodiscard]] std::uint64_t consumed() const noexcept override { return consumed_; }

  Source& in_;
  std::uint64_t consumed_ = 0;
};

}  // namespace

Codec identity_codec() {
  return {
      .name = "identity",
      .media_type_suffix = "",
      .revision = 0,
      .compress_to = [](Sink& out, const CompressOptions& /*options*/) -> std::unique_ptr<Sink> {
        return std::make_unique<IdentitySink>(out);
      },
      .decompress_from = [](Source& in, const DecompressOptions& options)
          -> std::unique_ptr<Source> { return std::make_unique<IdentitySource>(in, options); }};
}

}  // namespace lade
