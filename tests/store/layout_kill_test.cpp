// A process that is killed at any moment leaves a valid layout, and the next one goes on.
#include <csignal>
#include <random>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "libimage/io/path.h"
#include "libimage/store/layout_store.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

/// Writes and names image after image until it is killed.
[[noreturn]] void write_for_ever(const std::string& path, int run, bool named) {
  try {
    for (int i = 0;; ++i) {
      LayoutStore store(path, {.create = true, .named_temporaries = named});
      const SampleImage image = sample_image(cat(run, "-", i), oci::Family::oci);
      (void)put_blob(store, "a/b", std::string(300'000, static_cast<char>('a' + i % 26)));
      write_image(store, image);
      store.tag(Tag{cat("name", i % 5)}, image.descriptor);
    }
  } catch (...) {
    ::_exit(3);
  }
}

/// Everything in the layout is what it says, and everything that an entry reaches is there.
void expect_valid(LayoutStore& store) {
  for (const Digest& digest : store.blobs()) {
    const auto file =
        stat_entry(open_dir(store.path() + "/blobs/sha256"), std::string(digest.encoded()));
    ASSERT_TRUE(file);
    const oci::Descriptor blob{
        .media_type = "", .digest = digest, .size = static_cast<std::uint64_t>(file->st_size)};
    EXPECT_NO_THROW((void)read_blob(store, blob)) << digest.str();
  }
  for (const oci::Descriptor& entry : store.entries()) {
    const oci::Document document = store.document(entry);
    for (const oci::Descriptor& successor : oci::successors(document)) {
      EXPECT_TRUE(store.contains(successor));
    }
  }
}

TEST(LayoutStore, IsValidAfterItsWriterWasKilledAtAnyMoment) {
  constexpr int kRuns = 50;
  constexpr unsigned kLongestLife = 20'000;  // microseconds
  std::minstd_rand random(1);
  for (const bool named : {false, true}) {
    const TempDir room("/tmp");
    const std::string path = room.path() + "/layout";
    for (int run = 0; run < kRuns; ++run) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) write_for_ever(path, run, named);
      ::usleep(static_cast<unsigned>(random()) % kLongestLife);
      ASSERT_EQ(::kill(child, SIGKILL), 0);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed";
      if (run % 10 == 9) {
        LayoutStore store(path, {.create = true});
        expect_valid(store);
      }
    }
    LayoutStore store(path, {.create = true});
    expect_valid(store);
    const SampleImage image = sample_image("last", oci::Family::oci);
    write_image(store, image);
    store.tag(Tag{"last"}, image.descriptor);
    EXPECT_EQ(store.resolve(Tag{"last"})->digest, image.descriptor.digest);
    // oci-layout, index.json and blobs: nothing else is left of a hundred dead writers.
    EXPECT_EQ(count_files(path), store.blobs().size() + 2);
  }
}

}  // namespace
}  // namespace lade::testing
