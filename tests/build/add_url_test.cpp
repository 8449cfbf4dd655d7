// ADD of files of http servers, against a server that is a function.
#include "libimage/build/remote_file.h"
#include "libimage/digest/hasher.h"

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Pair;

TEST(RemoteFile, IsCalledAsTheUrlsLastComponent) {
  EXPECT_EQ(file_name_of_url("https://h/a/b.tar?x=/y#z"), "b.tar");
  EXPECT_EQ(file_name_of_url("https://h/a%20b"), "a b");
  EXPECT_EQ(file_name_of_url("https://h/a/"), "a");
  for (const char* url :
       {"https://h", "https://h/", "https://h/..", "https://h/a%2F..", "https://h/%00"})
    EXPECT_EQ(file_name_of_url(url), "__unnamed__") << url;
}

TEST(RemoteFile, DatesAreThoseOfHttp) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").value().seconds, 784111777);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT").value().seconds, 1709251199);
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT").value().seconds, 0);
  for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37",
                           "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(text).has_value()) << text;
}

/// A body that the source owns.
class Body final : public Source {
 public:
  explicit Body(std::string text) : text_(std::move(text)), source_(text_) {}
  std::size_t read(std::span<std::byte> out) override { return source_.read(out); }

 private:
  std::string text_;
  StringSource source_;
};

class EndlessBody final : public Source {
 public:
  std::size_t read(std::span<std::byte> out) override { return out.size(); }
};

class AddUrl : public BuildTest {
 protected:
  AddUrl() {
    fetch_ = [this](const UrlRequest& request) {
      requests_.push_back(request);
      if (!etag_.empty() && request.etag == etag_) return UrlAnswer{.not_modified = true};
      return UrlAnswer{
          .etag = etag_, .last_modified = modified_, .body = std::make_unique<Body>(content_)};
    };
  }
  std::string content_ = "hello";
  std::string etag_ = "\"1\"";
  std::string modified_ = "Sun, 06 Nov 1994 08:49:37 GMT";
  std::vector<UrlRequest> requests_;
};

TEST_F(AddUrl, AFileGetsItsNameModeAndTimeFromTheServer) {
  const BuildResult result = build("FROM scratch\nADD http://h/a/f.txt?q=1 /d/\n");
  EXPECT_THAT(tree(result), ElementsAre(Key("d"), Pair("d/f.txt", "f 600 0:0 hello")));
  EXPECT_EQ(root_of(result).lookup("d/f.txt")->mtime.seconds, 784111777);
  modified_.clear();
  EXPECT_EQ(root_of(build("FROM scratch\nADD http://h/g /x\n")).lookup("x")->mtime.seconds, 0);
  EXPECT_THAT(tree(build("FROM scratch\nADD --chown=1:2 --chmod=u=rwx,go= http://h/g /x\n")),
              ElementsAre(Pair("x", "f 700 1:2 hello")));
}

TEST_F(AddUrl, AnUnchangedFileIsNotFetchedAgain) {
  const std::string text = "FROM scratch\nADD http://h/f /f\n";
  EXPECT_EQ(build(text).cached_steps, 0U);
  EXPECT_EQ(build(text).cached_steps, 1U);
  ASSERT_EQ(requests_.size(), 2U);
  EXPECT_EQ(requests_[1].etag, "\"1\"");
  EXPECT_EQ(requests_[1].last_modified, modified_);
  // Another step of the same file asks, is told that nothing changed, and fetches.
  EXPECT_THAT(tree(build("FROM scratch\nADD http://h/f /g\n")),
              ElementsAre(Pair("g", "f 600 0:0 hello")));
  ASSERT_EQ(requests_.size(), 4U);
  EXPECT_EQ(requests_[3].etag, "");
  content_ = "other";
  etag_ = "\"2\"";
  EXPECT_THAT(tree(build(text)), ElementsAre(Pair("f", "f 600 0:0 other")));
}

TEST_F(AddUrl, ThePinnedContentIsCheckedAndNeedsNoRequestTheSecondTime) {
  const std::string right = sha256_of("hello").str();
  const std::string text =
      cat("FROM scratch\nARG D=", right, "\nADD --checksum=$D http://h/f /f\n");
  build(text);
  EXPECT_EQ(build(text).cached_steps, 1U);
  EXPECT_EQ(requests_.size(), 1U);
  const Error wrong =
      error_of(cat("FROM scratch\nADD --checksum=", sha256_of("x").str(), " http://h/f /f\n"));
  EXPECT_EQ(wrong.code(), Errc::digest_mismatch);
  EXPECT_THAT(wrong.what(), HasSubstr(right));
  EXPECT_THAT(error_of("FROM scratch\nADD --checksum=sha256:1 http://h/f /\n").what(),
              HasSubstr("sha256:HEX"));
  file("f", "");
  EXPECT_THAT(error_of(cat("FROM scratch\nADD --checksum=", right, " f /\n")).what(),
              HasSubstr("exactly one URL"));
}

TEST_F(AddUrl, ABodyWithoutEndIsGivenUp) {
  fetch_ = [](const UrlRequest&) { return UrlAnswer{.body = std::make_unique<EndlessBody>()}; };
  EXPECT_EQ(error_of("FROM scratch\nADD http://h/f /\n",
                     [](BuildOptions& o) { o.max_download_bytes = 1'000'000; })
                .code(),
            Errc::limit_exceeded);
}

TEST_F(AddUrl, SecretsOfTheHostAreSent) {
  build("FROM scratch\nADD http://h:1/f /\n", [](BuildOptions& o) {
    o.secrets = {{"HTTP_AUTH_TOKEN_h:1", {.value = "t\n"}}, {"HTTP_AUTH_TOKEN_g", {.value = "u"}}};
  });
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].authorization, "Bearer t");
}

TEST_F(AddUrl, ArchivesAreUnpackedOnlyIfThatIsSaid) {
  const std::string plain = "FROM scratch\nADD http://u:p@h/a.tar /d/\n";
  const BuildResult result = build(plain);
  EXPECT_THAT(tree(result), ElementsAre(Key("d"), Key("d/a.tar")));
  EXPECT_THAT(history(result), ElementsAre("ADD http://h/a.tar /d/"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY http://h/a /d/\n").what(),
              HasSubstr("COPY takes no URL"));
}

}  // namespace
}  // namespace lade::build
