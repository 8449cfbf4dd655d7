// Copies whose layers get a table of contents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/oci/image_config.h"
#include "libimage/seekable/table_of_contents.h"

#include "tests/support/images.h"
#include "tests/support/tar_builder.h"

namespace lade {
namespace {

using ::testing::HasSubstr;
using testing_support::MadeImage;
using testing_support::make_image;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};

std::string tar_with(const std::string& content) {
  return testing::TarBuilder().dir("etc/").file("etc/motd", content).finish();
}

class Warnings final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    if (event.kind == ProgressEvent::Kind::warning) text += event.note;
  }
  std::string text = {};
};

struct Copied {
  MemoryStore store = {};
  oci::Descriptor root = {.digest = sha256_of("")};
  oci::Manifest manifest = {.config = {.digest = sha256_of("")}};
  std::string warnings = {};
};

void copy(Reader& source, const oci::Descriptor& root, const std::string& codec, Copied& to,
          CopyOptions options = {}) {
  options.what = CopyOptions::What::all;
  options.layer_codec = codec;
  Warnings observer;
  const CopyPlan plan = plan_copy(source, root, to.store.accepts(), options);
  to.root = run_copy(plan, source, to.store, {}, options, observer, {}).root;
  to.manifest = std::get<oci::Manifest>(to.store.document(to.root).parsed);
  to.warnings = observer.text;
}

std::vector<DiffId> diff_ids_in(Copied& copied) {
  const auto source = copied.store.open(copied.manifest.config);
  return oci::parse_image_config(read_all(*source, 1 << 20, "config")).diff_ids;
}

DiffId diff_id_of(Copied& copied, const oci::Descriptor& layer) {
  const auto stored = copied.store.open(layer);
  const auto plain = codec_named(oci::layer_codec(layer.media_type)).decompress_from(*stored, {});
  HashingSource hashed(*plain);
  drain(hashed);
  return {hashed.digest()};
}

std::string file_in(Copied& copied, const oci::Descriptor& layer) {
  const ReadRange read = [&](std::uint64_t offset, std::uint64_t size) -> std::unique_ptr<Source> {
    const auto from = copied.store.open_at(layer, offset);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    bytes.resize(read_full(*from, std::as_writable_bytes(std::span(bytes))));
    struct Owned final : Source {
      explicit Owned(std::string content) : text(std::move(content)), source(text) {}
      std::size_t read(std::span<std::byte> out) override { return source.read(out); }
      std::string text;
      StringSource source;
    };
    return std::make_unique<Owned>(std::move(bytes));
  };
  const auto table = read_table_of_contents(layer, read);
  if (!table || !table->verified) return "no table";
  const auto file = open_file(table->format, table->entries.at(1), read);
  return read_all(*file, 1000, "file");
}

TEST(SeekableCopy, ZstdChunkedKeepsTheConfig) {
  MemoryStore source;
  const MadeImage made = make_image(source, {tar_with("one"), tar_with("two")}, kAmd64);
  Copied copied;
  copy(source, made.manifest, "zstd:chunked", copied);
  EXPECT_EQ(copied.manifest.layers[0].media_type, oci::kImageLayerZstd);
  EXPECT_EQ(file_in(copied, copied.manifest.layers[0]), "one");
  EXPECT_EQ(file_in(copied, copied.manifest.layers[1]), "two");
  EXPECT_EQ(copied.manifest.config.digest,
            std::get<oci::Manifest>(source.document(made.manifest).parsed).config.digest);
}

TEST(SeekableCopy, EstargzWritesTheNewDiffIdsIntoTheConfig) {
  MemoryStore source;
  const MadeImage made = make_image(source, {tar_with("one"), tar_with("two")}, kAmd64);
  Copied copied;
  copy(source, made.manifest, "estargz", copied);
  EXPECT_EQ(copied.manifest.layers[0].media_type, oci::kImageLayerGzip);
  EXPECT_EQ(file_in(copied, copied.manifest.layers[0]), "one");
  const std::vector<DiffId> diff_ids = diff_ids_in(copied);
  ASSERT_EQ(diff_ids.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(diff_ids[i], diff_id_of(copied, copied.manifest.layers[i]));
  }
  // The old config was not stored.
  const auto old = std::get<oci::Manifest>(source.document(made.manifest).parsed);
  EXPECT_NE(copied.manifest.config.digest, old.config.digest);
  EXPECT_FALSE(copied.store.contains(old.config));
}

TEST(SeekableCopy, LayersThatHaveATableAlreadyStayUntilItIsAnotherFormat) {
  MemoryStore source;
  const MadeImage made = make_image(source, {tar_with("one")}, kAmd64);
  for (const std::string format : {"zstd:chunked", "estargz"}) {
    Copied once;
    copy(source, made.manifest, format, once);
    Copied again;
    copy(once.store, once.root, format, again);
    EXPECT_EQ(again.root.digest, once.root.digest);
    Copied untouched;
    copy(once.store, once.root, format == "estargz" ? "gzip" : "zstd", untouched);
    EXPECT_EQ(untouched.root.digest, once.root.digest);
    Copied plain;
    copy(once.store, once.root, format == "estargz" ? "zstd" : "gzip", plain);
    EXPECT_EQ(file_in(plain, plain.manifest.layers[0]), "no table");
    EXPECT_TRUE(!plain.manifest.layers[0].annotations ||
                plain.manifest.layers[0].annotations->empty());
  }
  Copied zstd;
  copy(source, made.manifest, "zstd", zstd);
  Copied chunked;
  copy(zstd.store, zstd.root, "zstd:chunked", chunked);
  EXPECT_EQ(file_in(chunked, chunked.manifest.layers[0]), "one");
}

TEST(SeekableCopy, WhatCannotBeDescribedIsCopiedWithAWarning) {
  MemoryStore source;
  const MadeImage made = make_image(source, {"not a tar", tar_with("two")}, kAmd64);
  for (const std::string format : {"zstd:chunked", "estargz"}) {
    Copied copied;
    copy(source, made.manifest, format, copied);
    EXPECT_THAT(copied.warnings, HasSubstr("without a table of contents"));
    EXPECT_FALSE(copied.manifest.layers[0].annotations.has_value());
    const std::vector<DiffId> diff_ids = diff_ids_in(copied);
    EXPECT_EQ(diff_ids[0].value, sha256_of("not a tar"));
    EXPECT_EQ(file_in(copied, copied.manifest.layers[1]), "two");
  }
}

TEST(SeekableCopy, DigestsCannotBePreserved) {
  MemoryStore source;
  const MadeImage made = make_image(source, {tar_with("one")}, kAmd64);
  for (const std::string format : {"zstd:chunked", "estargz"}) {
    Copied copied;
    EXPECT_THROW(copy(source, made.manifest, format, copied, {.preserve_digests = true}), Error);
  }
}

}  // namespace
}  // namespace lade
