#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/io/path.h"
#include "libimage/transports/transports.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

class DirTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return room.path() + "/image"; }
  [[nodiscard]] std::unique_ptr<Reader> reader() {
    return open_reader(parse_image_name("dir:" + path()), session).reader;
  }
  [[nodiscard]] std::unique_ptr<Writer> writer() {
    return open_writer(parse_image_name("dir:" + path()), session).writer;
  }
  void write_one(const SampleImage& image) {
    const auto to = writer();
    write_image(*to, image);
    to->tag(Tag{}, image.descriptor);
    to->finish();
  }
  std::string read(const char* name) const { return read_file(path() + "/" + name, 1 << 20); }

  TempDir room{"/tmp"};
  Session session{{}};
  const SampleImage first = sample_image("a", oci::Family::docker);
  const SampleImage second = sample_image("b", oci::Family::oci);
};

TEST_F(DirTest, HoldsWhatSkopeoWouldWrite) {
  write_one(first);
  EXPECT_EQ(read("version"), "Directory Transport Version: 1.1\n");
  EXPECT_EQ(read("manifest.json"), first.manifest);
  EXPECT_EQ(count_files(path()), 5U);  // and config and two layers
}

TEST_F(DirTest, ANewImageTakesThePlaceOfTheOldOne) {
  write_one(first);
  write_one(second);
  EXPECT_EQ(read("manifest.json"), second.manifest);
  EXPECT_EQ(count_files(path()), 5U);
  EXPECT_FALSE(reader()->resolve(first.descriptor.digest));
}

TEST_F(DirTest, TheOldImageStaysWholeUntilTheNewOneIsPublished) {
  write_one(first);
  {
    const auto to = writer();
    write_image(*to, second);
  }
  EXPECT_EQ(read("manifest.json"), first.manifest);
  const auto from = reader();
  EXPECT_EQ(read_blob(*from, oci::parse_manifest(first.manifest).layers[1]), first.layers[1]);
  write_one(second);
  EXPECT_EQ(count_files(path()), 5U);
}

TEST_F(DirTest, NothingIsLeftOfADirectoryThatGotNoImage) {
  {
    const auto to = open_writer(parse_image_name("dir:" + room.path() + "/a/b"), session).writer;
    write_image(*to, first);
  }
  EXPECT_FALSE(std::filesystem::exists(room.path() + "/a"));
  std::filesystem::create_directory(path());
  { write_image(*writer(), first); }
  EXPECT_TRUE(std::filesystem::is_empty(path()));
}

TEST_F(DirTest, ImagesOfAnIndexHaveTheirOwnFiles) {
  const auto to = writer();
  oci::Index index;
  for (const SampleImage* image : {&first, &second}) {
    write_image(*to, *image);
    index.manifests.push_back(image->descriptor);
  }
  const std::string raw = oci::serialise(index);
  to->put_manifest(oci::describe(std::string(oci::kImageIndex), raw), raw);
  to->finish();  // what was stored last is the root
  EXPECT_EQ(read("manifest.json"), raw);
  const std::string instance = cat(first.descriptor.digest.encoded(), ".manifest.json");
  EXPECT_EQ(read(instance.c_str()), first.manifest);
  EXPECT_EQ(count_files(path()), 2U + 2U + 6U);
}

TEST_F(DirTest, LeavesForeignDirectoriesAndFilesAlone) {
  const DirFd dir = create_dir(path());
  (void)open_entry(dir, "precious", O_WRONLY | O_CREAT, 0600);
  EXPECT_EQ(code_thrown([&] { (void)writer(); }), Errc::already_exists);
  std::filesystem::remove(path() + "/precious");
  write_one(first);
  (void)open_entry(dir, "my notes", O_WRONLY | O_CREAT, 0600);
  write_one(second);
  EXPECT_TRUE(std::filesystem::exists(path() + "/my notes"));
}

TEST_F(DirTest, RefusesVersionsThatItDoesNotKnow) {
  write_one(first);
  std::ofstream(path() + "/version") << "Directory Transport Version: 2.0\n";
  EXPECT_EQ(code_thrown([&] { (void)reader(); }), Errc::unsupported);
  EXPECT_EQ(code_thrown([&] { (void)writer(); }), Errc::unsupported);
  std::filesystem::remove(path() + "/version");
  EXPECT_TRUE(reader()->resolve(Tag{}));
}

TEST_F(DirTest, RefusesLinksAndFifos) {
  write_one(first);
  const oci::Descriptor layer = oci::parse_manifest(first.manifest).layers[0];
  const std::string blob = path() + "/" + std::string(layer.digest.encoded());
  std::filesystem::rename(blob, room.path() + "/elsewhere");
  std::filesystem::create_symlink(room.path() + "/elsewhere", blob);
  EXPECT_EQ(code_thrown([&] { (void)read_blob(*reader(), layer); }), Errc::invalid_content);
  std::filesystem::remove(path() + "/manifest.json");
  EXPECT_EQ(code_thrown([&] { (void)reader(); }), Errc::not_found);
  ASSERT_EQ(::mkfifo((path() + "/manifest.json").c_str(), 0600), 0);
  EXPECT_EQ(code_thrown([&] { (void)reader(); }), Errc::invalid_content);
}

TEST_F(DirTest, RefusesADocumentThatLies) {
  write_one(first);
  std::filesystem::resize_file(path() + "/manifest.json", std::uintmax_t{5} << 30U);
  EXPECT_EQ(code_thrown([&] { (void)reader(); }), Errc::limit_exceeded);
  std::ofstream(path() + "/manifest.json") << "{}";
  const auto root = reader()->resolve(Tag{});
  EXPECT_TRUE(!root || root->media_type.empty());
}

TEST_F(DirTest, HasNoNames) {
  const auto to = writer();
  write_image(*to, first);
  EXPECT_EQ(code_thrown([&] { to->tag(Tag{"a"}, first.descriptor); }), Errc::invalid_argument);
}

}  // namespace
}  // namespace lade::testing
