#include "libimage/name/image_name.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

const std::vector<std::string> kKnown = {"docker", "oci", "oci-archive", "docker-archive", "dir"};

TEST(ImageName, SplitsTransportAndRest) {
  const struct {
    std::string text, transport, rest;
  } table[] = {
      {"docker://debian:12", "docker", "debian:12"},
      {"docker://127.0.0.1:5000/x", "docker", "127.0.0.1:5000/x"},
      {"oci:dir:tag", "oci", "dir:tag"},
      {"oci:/abs/dir", "oci", "/abs/dir"},
      {"oci-archive:a.tar:x", "oci-archive", "a.tar:x"},
      {"docker-archive:a.tar", "docker-archive", "a.tar"},
      {"dir://odd", "dir", "//odd"},
  };
  for (const auto& [text, transport, rest] : table) {
    const ImageName name = ImageName::parse(text, kKnown);
    EXPECT_EQ(name.transport, transport);
    EXPECT_EQ(name.rest, rest);
    EXPECT_EQ(name.str(), text);
  }
}

TEST(ImageName, SaysHowToWriteWhatWasMeant) {
  const struct {
    std::string text, message;
  } table[] = {
      {"", "it is empty"},
      {"debian", "use 'docker://debian' for a registry or 'oci:DIR:TAG' for a layout"},
      {"debian:12", "use 'docker://debian:12'"},
      {"localhost:5000/x", "use 'docker://localhost:5000/x'"},
      {"Debian", "use 'docker://NAME' for a registry"},
      {"./image", "use 'oci:./image' for a layout in a directory"},
      {"/srv/image:tag", "use 'oci:/srv/image:tag' for a layout in a directory"},
      {"dokcer://debian", "unknown transport 'dokcer', did you mean 'docker'?"},
      {"oci-archve:x.tar", "did you mean 'oci-archive'?"},
      {"DOCKER://x", "unknown transport 'DOCKER'"},
      {"http://x", "unknown transport 'http'"},
      {"dig:1", "did you mean 'dir'? If it is a repository, use 'docker://dig:1'"},
      {"docker:debian", "use 'docker://debian'"},
      {"docker:/debian", "use 'docker:///debian'"},
      {"docker://", "nothing follows the transport"},
      {"oci:", "nothing follows the transport"},
      {":x", "no transport before it"},
      {"evil\x1b[2J:x", R"('evil\x1b[2J:x')"},
  };
  for (const auto& [text, message] : table) {
    SCOPED_TRACE(text);
    try {
      ImageName::parse(text, kKnown);
      ADD_FAILURE() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      EXPECT_NE(std::string(e.what()).find(message), std::string::npos) << e.what();
    }
  }
}

TEST(SplitPathReference, EndsThePathAtTheFirstColon) {
  const std::string hex(64, 'a');
  const struct {
    std::string text, path, reference;
    std::optional<std::size_t> at = {};
  } table[] = {
      {"dir", "dir", ""},
      {"dir:tag", "dir", "tag"},
      {"dir:", "dir", ""},
      {"/a/b c:example.com/x:1", "/a/b c", "example.com/x:1"},
      {"f.tar:docker.io/library/x:1", "f.tar", "docker.io/library/x:1"},
      {"dir:@0", "dir", "", 0},
      {"dir:@12", "dir", "", 12},
      {"dir@sha256:" + hex, "dir", "sha256:" + hex},
      {"a@b:tag", "a@b", "tag"},
      {"dir:x@sha256:" + hex, "dir", "x@sha256:" + hex},
  };
  for (const auto& [text, path, reference, at] : table) {
    SCOPED_TRACE(text);
    const PathAndReference split = split_path_reference(text);
    EXPECT_EQ(split.path, path);
    EXPECT_EQ(split.reference, reference);
    EXPECT_EQ(split.at, at);
  }
}

TEST(SplitPathReference, RefusesNamesWithoutAPathAndBadNumbers) {
  for (const std::string& bad :
       {std::string(), std::string(":tag"), std::string("dir:@"), std::string("dir:@x"),
        std::string("dir:@-1"), std::string("dir:@18446744073709551616"), std::string("a\0b", 3)}) {
    SCOPED_TRACE(bad);
    try {
      split_path_reference(bad);
      ADD_FAILURE() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace lade
