#include "libimage/files/compare.h"

#include <gtest/gtest.h>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/store/memory_store.h"

#include "tests/support/tar_builder.h"

namespace lade::files {
namespace {

using testing::TarBuilder;

/// A store that counts as far away, where it says so.
class FarStore final : public Reader {
 public:
  explicit FarStore(MemoryStore& store) : store_(store) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest&) override { return std::nullopt; }
  std::optional<Origin> origin() const override { return Origin{"registry.example", "app"}; }
  std::vector<Digest> opened = {};

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    opened.push_back(blob.digest);
    return store_.open(blob);
  }

 private:
  MemoryStore& store_;
};

class Compare : public ::testing::Test {
 protected:
  oci::Descriptor layer(const TarBuilder& tar) {
    return store_.put(oci::MediaType(oci::kImageLayer), tar.finish());
  }
  std::string changes(const std::vector<oci::Descriptor>& a, const std::vector<oci::Descriptor>& b,
                      const CompareOptions& options = {}) {
    const oci::Manifest left{.config = {.digest = sha256_of("")}, .layers = a};
    const oci::Manifest right{.config = {.digest = sha256_of("")}, .layers = b};
    ImageFiles x(far_, left, {});
    ImageFiles y(far_, right, {});
    const ComparedFiles compared(x, y, shared_layers(left, right), options);
    std::string out;
    for (const FileChange& change : compared.changes()) {
      out += cat(out.empty() ? "" : "; ", name_of(change.change), " ", change.path);
      for (const std::string& what : change.what) out += cat(" ", what);
    }
    std::vector<std::string> remarks;
    for (const TextChange& change : compared.package_changes(remarks)) {
      out += cat("; ", change.name, " ", change.before, ">", change.after);
    }
    for (const std::string& remark : remarks) out += cat("; # ", remark.substr(0, 20));
    return out;
  }

  MemoryStore store_;
  FarStore far_{store_};
};

TEST_F(Compare, NamesWhatDiffers) {
  const auto a = layer(TarBuilder()
                           .dir("d/")
                           .file("d/gone", "1")
                           .file("d/mode", "1", 0600)
                           .file("d/same", "1")
                           .file("d/text", "abc")
                           .symlink("l", "x")
                           .file("type", "1"));
  const auto b = layer(TarBuilder()
                           .dir("d/")
                           .file("d/mode", "1", 0640)
                           .file("d/new", "1")
                           .file("d/same", "1")
                           .file("d/text", "abd")
                           .symlink("l", "y")
                           .dir("type/")
                           .file("type/below", "1"));
  EXPECT_EQ(changes({a}, {b}),
            "removed d/gone; changed d/mode mode; added d/new; changed d/text content; changed l "
            "target; changed type type; added type/below");
  EXPECT_EQ(changes({a}, {a}), "");
}

TEST_F(Compare, SharedLayersAreNotFetched) {
  const auto base = layer(TarBuilder().dir("d/").file("d/old", "1").file("d/kept", "2"));
  const auto a = layer(TarBuilder().dir("d/").file("d/both", "1").file("d/only", "1"));
  const auto b = layer(TarBuilder().dir("d/").file("d/both", "22").file("d/.wh.old"));
  EXPECT_EQ(
      changes({base, a}, {base, b}),
      "changed d/both size content; removed d/old shared layers; changed d/only shared layers");
  for (const Digest& digest : far_.opened) EXPECT_NE(digest, base.digest);
  EXPECT_EQ(changes({base, a}, {base, b}, {.shared = CompareOptions::Shared::all}),
            "changed d/both size content; removed d/old; removed d/only");
}

TEST_F(Compare, SharedLayersAreFetchedWhereADirectoryMayBeALink) {
  const auto base = layer(TarBuilder().dir("usr/").dir("usr/lib/").symlink("lib", "usr/lib"));
  const auto a = layer(TarBuilder().file("lib/x", "1"));
  const auto b = layer(TarBuilder().dir("usr/").dir("usr/lib/").file("usr/lib/x", "1"));
  EXPECT_EQ(changes({base, a}, {base, b}), "");
}

TEST_F(Compare, TellsVersionsOfPackages) {
  const auto image = [&](const std::string& version) {
    return layer(
        TarBuilder()
            .dir("var/")
            .dir("var/lib/")
            .dir("var/lib/dpkg/")
            .file("var/lib/dpkg/status", cat("Package: bash\nStatus: install ok installed\n"
                                             "Architecture: amd64\nVersion: ",
                                             version, "\n")));
  };
  EXPECT_EQ(changes({image("5.1")}, {image("5.2")}),
            "changed var/lib/dpkg/status content; deb bash:amd64 5.1>5.2");
  const auto base = layer(TarBuilder().dir("etc/"));
  EXPECT_EQ(changes({base}, {base, image("5.2")}),
            "changed var/lib/dpkg/status shared layers; # /var/lib/dpkg/status");
}

TEST(UnifiedDiff, IsWhatDiffPrints) {
  EXPECT_EQ(unified_diff("a\nb\nc\n", "a\nB\nc\n"), "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
  EXPECT_EQ(unified_diff("", "x\n"), "@@ -0,0 +1 @@\n+x\n");
  EXPECT_EQ(unified_diff("x", ""), "@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n");
  EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\nX\n"),
            "@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-10\n+X\n");
  EXPECT_EQ(unified_diff("same\n", "same\n"), "");
  EXPECT_TRUE(is_text("tab\t\xC3\xA4\n"));
  EXPECT_FALSE(is_text("\x1b[2J"));
  EXPECT_FALSE(is_text("\xFF"));
}

}  // namespace
}  // namespace lade::files
