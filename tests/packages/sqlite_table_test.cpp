#include "libimage/packages/sqlite_table.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

#include "tests/packages/map_tree.h"

namespace lade::packages {
namespace {

std::string fixture() {
  return read_file(cat(LADE_SOURCE_DIR, "/testdata/packages/rpmdb.sqlite"), 1U << 20U);
}

std::size_t rows_of(std::string database, std::string_view table = "Packages") {
  OwnedFile file(std::move(database));
  std::size_t rows = 0;
  for_each_sqlite_row(file, table, [&](const std::vector<SqliteValue>& row) {
    EXPECT_FALSE(row.empty());
    ++rows;
  });
  return rows;
}

TEST(SqliteTable, GivesEveryRow) { EXPECT_EQ(rows_of(fixture()), 3U); }

TEST(SqliteTable, IsMissedByName) {
  try {
    rows_of(fixture(), "Absent");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::not_found);
  }
}

TEST(SqliteTable, RefusesOtherFiles) {
  EXPECT_THROW(rows_of(""), Error);
  EXPECT_THROW(rows_of(std::string(4096, 'x')), Error);
}

TEST(SqliteTable, EndsWhateverByteIsDamaged) {
  const std::string sound = fixture();
  // Headers and cell pointers of each page.
  for (std::size_t page = 0; page < sound.size(); page += 4096) {
    for (std::size_t at = page; at < page + 120 && at < sound.size(); ++at) {
      std::string damaged = sound;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      try {
        EXPECT_LE(rows_of(damaged), 1000U);
      } catch (const Error&) {  // refused
        continue;
      }
    }
  }
}

}  // namespace
}  // namespace lade::packages
