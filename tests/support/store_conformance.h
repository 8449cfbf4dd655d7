/// What every Reader and Writer must do, as typed tests. A store takes part with a `Place`:
///
///   struct Place {
///     Writer& writer();            // opened at the first call
///     Reader& reader();            // finishes the writer; opened anew by each call
///     Tag name(int n);             // the n-th name; Place::kNames says how many there can be
///     std::size_t files();         // regular files that the store consists of, 0 if it has none
///     static constexpr oci::Family kFamily;
///     static constexpr bool kAnyContent;  // any blob, document and raw manifest is kept as it is
///     static constexpr int kNames;        // 0: the place itself is the name
///   };
#pragma once
#include <algorithm>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "libimage/io/path.h"
#include "libimage/store/store.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {

template <typename Place>
class StoreConformance : public ::testing::Test {
 protected:
  SampleImage stored(std::string_view seed, const Tag& name) {
    SampleImage image = sample_image(seed, Place::kFamily);
    write_image(place.writer(), image);
    place.writer().tag(name, image.descriptor);
    return image;
  }

  Place place;
};

TYPED_TEST_SUITE_P(StoreConformance);

TYPED_TEST_P(StoreConformance, GivesBackTheImageThatWasStored) {
  const SampleImage image = this->stored("a", this->place.name(0));
  Reader& reader = this->place.reader();
  const auto found = reader.resolve(this->place.name(0));
  ASSERT_TRUE(found);
  const oci::Document document = reader.document(*found);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  EXPECT_EQ(read_blob(reader, manifest.config), image.config);
  ASSERT_EQ(manifest.layers.size(), image.layers.size());
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    EXPECT_EQ(read_blob(reader, manifest.layers[i]), image.layers[i]);
  }
  if (TypeParam::kAnyContent) {
    EXPECT_EQ(document.raw, image.manifest);
    EXPECT_EQ(found->digest, image.descriptor.digest);
    EXPECT_EQ(found->size, image.descriptor.size);
  }
}

TYPED_TEST_P(StoreConformance, ResolvesTheOnlyImageByAnEmptyTagAndByItsDigest) {
  (void)this->stored("a", this->place.name(0));
  Reader& reader = this->place.reader();
  const auto by_nothing = reader.resolve(Tag{});
  ASSERT_TRUE(by_nothing);
  const auto by_digest = reader.resolve(by_nothing->digest);
  ASSERT_TRUE(by_digest);
  EXPECT_EQ(by_digest->digest, by_nothing->digest);
  EXPECT_EQ(by_digest->media_type, by_nothing->media_type);
}

TYPED_TEST_P(StoreConformance, ResolvesWhatIsAbsentToNothing) {
  (void)this->stored("a", this->place.name(0));
  Reader& reader = this->place.reader();
  if (TypeParam::kNames > 0) {
    EXPECT_FALSE(reader.resolve(this->place.name(1)));
  }
  EXPECT_FALSE(reader.resolve(sha256_of("absent")));
}

TYPED_TEST_P(StoreConformance, ReportsAnAbsentBlobAsNotFound) {
  (void)this->stored("a", this->place.name(0));
  Reader& reader = this->place.reader();
  const oci::Descriptor absent = oci::describe("application/octet-stream", "absent");
  EXPECT_EQ(code_thrown([&] { (void)read_blob(reader, absent); }), Errc::not_found);
}

TYPED_TEST_P(StoreConformance, RefusesToReadABlobUnderAWrongSize) {
  const SampleImage image = this->stored("a", this->place.name(0));
  Reader& reader = this->place.reader();
  for (const int change : {-1, 1}) {
    oci::Descriptor lie =
        oci::describe(layer_media_type(TypeParam::kFamily, "identity"), image.layers.front());
    lie.size = change < 0 ? lie.size - 1 : lie.size + 1;
    EXPECT_EQ(code_thrown([&] { (void)read_blob(reader, lie); }), Errc::size_mismatch);
  }
}

TYPED_TEST_P(StoreConformance, ReadsABlobFromAnyByteOn) {
  const SampleImage image = this->stored("a", this->place.name(0));
  Reader& reader = this->place.reader();
  const std::string& content = image.layers.front();
  const auto layer = oci::describe(layer_media_type(TypeParam::kFamily, "identity"), content);
  for (const std::size_t offset : {std::size_t{0}, content.size() / 2, content.size()}) {
    const auto source = reader.open_at(layer, offset);
    EXPECT_EQ(read_all(*source, content.size(), "the layer"), content.substr(offset));
  }
  EXPECT_EQ(code_thrown([&] { (void)reader.open_at(layer, layer.size + 1); }),
            Errc::invalid_argument);
}

TYPED_TEST_P(StoreConformance, NamesABlobByTheDigestAndSizeOfItsBytes) {
  const std::string layer = small_tar("file", "content");
  const std::string type = layer_media_type(TypeParam::kFamily, "identity");
  EXPECT_EQ(put_blob(this->place.writer(), type, layer), oci::describe(type, layer));
}

TYPED_TEST_P(StoreConformance, ContainsABlobOnceItIsCommitted) {
  Writer& writer = this->place.writer();
  const std::string layer = small_tar("file", "content");
  const auto expected = oci::describe(layer_media_type(TypeParam::kFamily, "identity"), layer);
  EXPECT_FALSE(writer.contains(expected));
  const auto blob = writer.start_blob({.expected = expected});
  blob->write(bytes_of(layer));
  EXPECT_FALSE(writer.contains(expected));
  EXPECT_EQ(blob->commit(expected.media_type), expected);
  EXPECT_TRUE(writer.contains(expected));
  oci::Descriptor longer = expected;
  ++longer.size;
  EXPECT_FALSE(writer.contains(longer));
}

TYPED_TEST_P(StoreConformance, AnUncommittedBlobLeavesNoTrace) {
  Writer& writer = this->place.writer();
  const std::size_t before = this->place.files();
  const std::string layer = small_tar("file", "content");
  const auto expected = oci::describe(layer_media_type(TypeParam::kFamily, "identity"), layer);
  for (const BlobHint& hint : {BlobHint{}, BlobHint{.expected = expected}}) {
    const auto blob = writer.start_blob(hint);
    blob->write(bytes_of(layer));
    blob->finish();
  }
  EXPECT_FALSE(writer.contains(expected));
  EXPECT_EQ(this->place.files(), before);
  (void)this->stored("a", this->place.name(0));
  EXPECT_EQ(code_thrown([&] { (void)read_blob(this->place.reader(), expected); }), Errc::not_found);
}

TYPED_TEST_P(StoreConformance, RefusesContentThatIsNotWhatWasExpected) {
  Writer& writer = this->place.writer();
  const std::string layer = small_tar("file", "content");
  const auto expected = oci::describe(layer_media_type(TypeParam::kFamily, "identity"), layer);
  const auto write = [&](const std::string& bytes, bool verified) {
    const auto blob = writer.start_blob({.expected = expected, .verified_by_source = verified});
    blob->write(bytes_of(bytes));
    (void)blob->commit(expected.media_type);
  };
  std::string other = layer;
  other[600] = 'x';
  const std::string shorter = layer.substr(1);
  EXPECT_EQ(code_thrown([&] { write(other, false); }), Errc::digest_mismatch);
  for (const bool verified : {false, true}) {
    EXPECT_EQ(code_thrown([&] { write(shorter, verified); }), Errc::size_mismatch);
    EXPECT_EQ(code_thrown([&] { write(layer + "x", verified); }), Errc::size_mismatch);
  }
  EXPECT_FALSE(writer.contains(expected));
  write(layer, true);
  EXPECT_TRUE(writer.contains(expected));
}

TYPED_TEST_P(StoreConformance, RefusesADocumentThatIsNotItsDescriptors) {
  Writer& writer = this->place.writer();
  const SampleImage image = sample_image("a", TypeParam::kFamily);
  const SampleImage other = sample_image("b", TypeParam::kFamily);
  write_image(writer, image);
  EXPECT_EQ(code_thrown([&] { writer.put_manifest(image.descriptor, other.manifest); }),
            Errc::digest_mismatch);
}

TYPED_TEST_P(StoreConformance, StoringABlobTwiceIsNoError) {
  Writer& writer = this->place.writer();
  const std::string layer = small_tar("file", "content");
  const std::string type = layer_media_type(TypeParam::kFamily, "identity");
  const oci::Descriptor first = put_blob(writer, type, layer);
  const std::size_t files = this->place.files();
  EXPECT_EQ(put_blob(writer, type, layer), first);
  EXPECT_EQ(this->place.files(), files);
}

TYPED_TEST_P(StoreConformance, TakesSeveralBlobsAtOnceInOneThread) {
  Writer& writer = this->place.writer();
  const SampleImage image = sample_image("a", TypeParam::kFamily);
  const oci::Manifest manifest = oci::parse_manifest(image.manifest);
  const auto known = writer.start_blob({.expected = manifest.layers[0]});
  const auto unknown = writer.start_blob({});
  const auto config = writer.start_blob({.expected = manifest.config});
  const auto dropped = writer.start_blob({.expected = oci::describe("a/b", "dropped")});
  for (std::size_t i = 0; i < image.layers[0].size(); i += 100) {
    known->write(bytes_of(image.layers[0])
                     .subspan(i)
                     .first(std::min<std::size_t>(100, image.layers[0].size() - i)));
    if (i == 0) dropped->write(bytes_of("drop"));
  }
  unknown->write(bytes_of(image.layers[1]));
  config->write(bytes_of(image.config));
  EXPECT_EQ(config->commit(manifest.config.media_type), manifest.config);
  EXPECT_EQ(unknown->commit(manifest.layers[1].media_type), manifest.layers[1]);
  EXPECT_EQ(known->commit(manifest.layers[0].media_type), manifest.layers[0]);
  writer.put_manifest(image.descriptor, image.manifest);
  writer.tag(this->place.name(0), image.descriptor);
  Reader& reader = this->place.reader();
  EXPECT_EQ(read_blob(reader, manifest.layers[0]), image.layers[0]);
  EXPECT_EQ(read_blob(reader, manifest.layers[1]), image.layers[1]);
  EXPECT_EQ(read_blob(reader, manifest.config), image.config);
}

TYPED_TEST_P(StoreConformance, TakesBlobsFromManyThreads) {
  Writer& writer = this->place.writer();
  constexpr int kThreads = 4;
  std::vector<SampleImage> images;
  for (int i = 0; i < kThreads; ++i) {
    images.push_back(sample_image(cat("thread ", i % 3), TypeParam::kFamily));
  }
  {
    std::vector<std::jthread> threads;
    for (const SampleImage& image : images) {
      threads.emplace_back([&writer, &image] { write_image(writer, image); });
    }
  }
  writer.tag(this->place.name(0), images.front().descriptor);
  Reader& reader = this->place.reader();
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const oci::Manifest manifest = oci::parse_manifest(images.front().manifest);
      EXPECT_EQ(read_blob(reader, manifest.layers[1]), images.front().layers[1]);
    });
  }
}

TYPED_TEST_P(StoreConformance, ANameMovesToTheImageThatGotItLast) {
  if (TypeParam::kNames < 2) GTEST_SKIP() << "the place itself is the name";
  (void)this->stored("a", this->place.name(0));
  const SampleImage second = this->stored("b", this->place.name(0));
  Reader& reader = this->place.reader();
  const auto found = reader.resolve(this->place.name(0));
  ASSERT_TRUE(found);
  const oci::Document document = reader.document(*found);
  EXPECT_EQ(read_blob(reader, std::get<oci::Manifest>(document.parsed).config), second.config);
}

TYPED_TEST_P(StoreConformance, OneImageMayHaveSeveralNames) {
  if (TypeParam::kNames < 2) GTEST_SKIP() << "the place itself is the name";
  const SampleImage image = this->stored("a", this->place.name(0));
  this->place.writer().tag(this->place.name(1), image.descriptor);
  Reader& reader = this->place.reader();
  const auto first = reader.resolve(this->place.name(0));
  const auto second = reader.resolve(this->place.name(1));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->digest, second->digest);
  if (auto names = reader.tags()) {
    std::sort(names->begin(), names->end());
    EXPECT_EQ(*names, (std::vector{this->place.name(0).value, this->place.name(1).value}));
  }
}

TYPED_TEST_P(StoreConformance, RefusesToNameWhatIsNotStored) {
  const SampleImage image = sample_image("a", TypeParam::kFamily);
  EXPECT_EQ(code_thrown([&] { this->place.writer().tag(this->place.name(0), image.descriptor); }),
            Errc::not_found);
}

TYPED_TEST_P(StoreConformance, KeepsBytesAndTypesThatItDoesNotKnow) {
  if (!TypeParam::kAnyContent) GTEST_SKIP() << "holds images only";
  Writer& writer = this->place.writer();
  const oci::Descriptor empty = put_blob(writer, "application/x-empty", "");
  EXPECT_EQ(empty.size, 0U);
  const oci::Descriptor odd = put_blob(writer, "application/x-odd", std::string("\0\xff\n", 3));
  const std::string raw =
      cat("{ \"schemaVersion\":2,\n \"mediaType\":\"", oci::kImageManifest,
          "\",\"artifactType\":\"application/x-thing\",\"config\":", oci::serialise(empty),
          ",\"layers\":[", oci::serialise(odd), "], \"x-unknown\": [1.0e1] }\n\n");
  const oci::Descriptor artifact = oci::describe(std::string(oci::kImageManifest), raw);
  writer.put_manifest(artifact, raw);
  writer.tag(this->place.name(0), artifact);
  Reader& reader = this->place.reader();
  const auto found = reader.resolve(this->place.name(0));
  ASSERT_TRUE(found);
  EXPECT_EQ(reader.document(*found).raw, raw);
  EXPECT_EQ(read_blob(reader, empty), "");
  EXPECT_EQ(read_blob(reader, odd), std::string("\0\xff\n", 3));
}

TYPED_TEST_P(StoreConformance, HoldsAnIndexAndItsImages) {
  if (!TypeParam::kAnyContent) GTEST_SKIP() << "holds images only";
  Writer& writer = this->place.writer();
  oci::Index index;
  const std::vector<SampleImage> images{sample_image("amd64", TypeParam::kFamily),
                                        sample_image("arm64", TypeParam::kFamily)};
  for (const SampleImage& image : images) {
    write_image(writer, image);
    index.manifests.push_back(image.descriptor);
  }
  const std::string raw = oci::serialise(index);
  const oci::Descriptor root = oci::describe(std::string(oci::kImageIndex), raw);
  writer.put_manifest(root, raw);
  writer.tag(this->place.name(0), root);
  Reader& reader = this->place.reader();
  const auto found = reader.resolve(this->place.name(0));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->digest, root.digest);
  for (const SampleImage& image : images) {
    EXPECT_EQ(reader.document(image.descriptor).raw, image.manifest);
    EXPECT_TRUE(reader.resolve(image.descriptor.digest));
  }
}

TYPED_TEST_P(StoreConformance, CopiesAFileInsideTheKernelOnlyIfItIsTheBlob) {
  Writer& writer = this->place.writer();
  const TempDir room("/tmp");
  const std::string layer = small_tar("file", "content");
  const auto expected = oci::describe(layer_media_type(TypeParam::kFamily, "identity"), layer);
  const auto file_with = [&](const std::string& bytes) {
    UniqueFd fd = open_entry(room.dir(), "file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    FdSink(fd.get(), "file").write(bytes_of(bytes));
    return fd;
  };
  const std::size_t before = this->place.files();
  std::string other = layer;
  other[600] = 'x';
  bool possible = true;
  try {
    possible = writer.try_copy_file(expected, file_with(other));
    EXPECT_FALSE(possible);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::digest_mismatch);
  }
  EXPECT_FALSE(writer.contains(expected));
  EXPECT_EQ(this->place.files(), before);
  if (!possible) GTEST_SKIP() << "does not copy files";
  EXPECT_EQ(code_thrown([&] { (void)writer.try_copy_file(expected, file_with("short")); }),
            Errc::size_mismatch);
  if (writer.try_copy_file(expected, file_with(layer))) {
    EXPECT_TRUE(writer.contains(expected));
  }
}

REGISTER_TYPED_TEST_SUITE_P(StoreConformance, GivesBackTheImageThatWasStored,
                            ResolvesTheOnlyImageByAnEmptyTagAndByItsDigest,
                            ResolvesWhatIsAbsentToNothing, ReportsAnAbsentBlobAsNotFound,
                            RefusesToReadABlobUnderAWrongSize, ReadsABlobFromAnyByteOn,
                            NamesABlobByTheDigestAndSizeOfItsBytes, ContainsABlobOnceItIsCommitted,
                            AnUncommittedBlobLeavesNoTrace, RefusesContentThatIsNotWhatWasExpected,
                            RefusesADocumentThatIsNotItsDescriptors, StoringABlobTwiceIsNoError,
                            TakesSeveralBlobsAtOnceInOneThread, TakesBlobsFromManyThreads,
                            ANameMovesToTheImageThatGotItLast, OneImageMayHaveSeveralNames,
                            RefusesToNameWhatIsNotStored, KeepsBytesAndTypesThatItDoesNotKnow,
                            HoldsAnIndexAndItsImages, CopiesAFileInsideTheKernelOnlyIfItIsTheBlob);

}  // namespace lade::testing
