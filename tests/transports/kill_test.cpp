// Writers of archives and directories that are killed at any moment leave the old image or the new
// one, whole.
#include <csignal>
#include <random>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "libimage/io/path.h"
#include "libimage/transports/transports.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

void write_once(const ImageName& name, int number) {
  Session session({});
  const OpenedWriter opened = open_writer(name, session);
  const SampleImage image = sample_image(cat(number), oci::Family::oci);
  (void)put_blob(*opened.writer, "a/b", std::string(200'000, 'x'));
  write_image(*opened.writer, image);
  opened.writer->tag(std::get<Tag>(opened.reference), image.descriptor);
  opened.writer->finish();
}

[[noreturn]] void write_for_ever(const ImageName& name) {
  try {
    for (int i = 0;; ++i) write_once(name, i);
  } catch (...) {
    ::_exit(3);
  }
}

void expect_whole_image(const ImageName& name) {
  Session session({});
  const OpenedReader opened = open_reader(name, session);
  const auto root = opened.reader->resolve(opened.reference);
  ASSERT_TRUE(root);
  for (const oci::Descriptor& blob : oci::successors(opened.reader->document(*root))) {
    EXPECT_NO_THROW((void)read_blob(*opened.reader, blob));
  }
}

TEST(Transports, AKilledWriterLeavesAWholeImage) {
  constexpr int kRuns = 50;
  std::minstd_rand random(2);
  for (const char* transport : {"oci-archive", "dir"}) {
    const TempDir room("/tmp");
    const ImageName name = parse_image_name(cat(transport, ":", room.path(), "/image"));
    write_once(name, -1);
    const std::size_t files = count_files(room.path());
    for (int run = 0; run < kRuns; ++run) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) write_for_ever(name);
      ::usleep(static_cast<unsigned>(random()) % 15'000U);
      ASSERT_EQ(::kill(child, SIGKILL), 0);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed";
      expect_whole_image(name);
    }
    write_once(name, -1);
    expect_whole_image(name);
    EXPECT_EQ(count_files(room.path()), files) << transport;
  }
}

}  // namespace
}  // namespace lade::testing
