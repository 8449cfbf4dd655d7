#include "libimage/store/memory_store.h"

#include "tests/support/store_conformance.h"

namespace lade::testing {
namespace {

struct MemoryPlace {
  static constexpr oci::Family kFamily = oci::Family::oci;
  static constexpr bool kAnyContent = true;
  static constexpr int kNames = 2;
  Writer& writer() { return store; }
  Reader& reader() { return store; }
  static Tag name(int n) { return Tag{cat("name", n)}; }
  [[nodiscard]] std::size_t files() const { return store.blob_count(); }
  MemoryStore store;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreConformance, MemoryPlace);

TEST(Reader, RefusesContentThatIsNotItsDigests) {
  MemoryStore store;
  const oci::Descriptor blob = store.put("a/b", "honest bytes");
  store.corrupt(blob.digest, "lying! bytes");
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::digest_mismatch);
  store.corrupt(blob.digest, "short");
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::size_mismatch);
  store.corrupt(blob.digest, "honest bytes and more");
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::size_mismatch);
}

TEST(Reader, ServesEmbeddedDataWithoutAskingTheStore) {
  MemoryStore store;
  oci::Descriptor blob = oci::describe("a/b", "embedded");
  blob.data = "embedded";
  EXPECT_EQ(read_blob(store, blob), "embedded");
  blob.data = "bad data";
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::digest_mismatch);
}

TEST(Reader, RefusesADocumentThatIsTooLargeBeforeReadingIt) {
  MemoryStore store;  // which has no such document: the size alone decides
  oci::Descriptor huge = oci::describe(std::string(oci::kImageManifest), "");
  huge.size = oci::kMaxManifestBytes + 1;
  EXPECT_EQ(code_thrown([&] { (void)store.document(huge); }), Errc::limit_exceeded);
}

TEST(Reader, RefusesADigestThatCannotBeVerified) {
  MemoryStore store;
  const oci::Descriptor blob{.media_type = "a/b", .digest = Digest::parse("blake9:abc"), .size = 3};
  EXPECT_THROW((void)store.open(blob), Error);
}

}  // namespace
}  // namespace lade::testing
