#include "libimage/config/certs_dir.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

void put(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << content;
}

TEST(CertsDir, GathersCasAndTheClientsPair) {
  const TempDir dir("/tmp");
  put(dir.path() + "/b.crt", "B");
  put(dir.path() + "/a.crt", "A");
  put(dir.path() + "/client.cert", "C");
  put(dir.path() + "/client.key", "K");
  put(dir.path() + "/README", "ignored");
  EXPECT_EQ(read_certs_dir(dir.path()),
            (RegistryCerts{.ca_pem = "A\nB\n",
                           .client_cert_file = dir.path() + "/client.cert",
                           .client_key_file = dir.path() + "/client.key"}));
}

TEST(CertsDir, RefusesAHalfPair) {
  for (const char* half : {"/client.cert", "/client.key"}) {
    const TempDir dir("/tmp");
    put(dir.path() + half, "x");
    EXPECT_THROW((void)read_certs_dir(dir.path()), Error) << half;
  }
}

TEST(CertsDir, TheFirstRootThatKnowsTheHostCounts) {
  const TempDir dir("/tmp");
  put(dir.path() + "/two/h:5000/ca.crt", "two");
  put(dir.path() + "/three/h:5000/ca.crt", "three");
  const std::vector<std::string> roots = {dir.path() + "/one", dir.path() + "/two",
                                          dir.path() + "/three"};
  EXPECT_EQ(find_registry_certs(roots, "h:5000").ca_pem, "two\n");
  EXPECT_EQ(find_registry_certs(roots, "h"), RegistryCerts{});
  EXPECT_EQ(find_registry_certs(roots, ".."), RegistryCerts{});
  EXPECT_EQ(find_registry_certs(roots, "../two/h:5000"), RegistryCerts{});
}

TEST(CertsDir, ADirectoryThatTheUserNamedMustExist) {
  EXPECT_THROW((void)read_certs_dir("/nonexistent"), Error);
}

}  // namespace
}  // namespace lade
