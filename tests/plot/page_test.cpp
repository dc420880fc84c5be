#include "plot/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plot/figure.h"

namespace quasar::plot {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Page, HoldsItsPartsInOrder) {
  Page page("Quasar: test", "Test");
  page.heading(2, "Scores");
  page.paragraph("Three of them.");
  page.table({{{"name"}, {"value", ColumnKind::kNumber}, {"why", ColumnKind::kLong}}, {{"a", "1", "so"}}});
  page.counts({{"rows", 1234567}});
  page.figures({chart_svg({}), chart_svg({})});
  page.thumbnails(
      {{"image/png", "foo", "", "picture.png", {"score 0.5"}}, {"", "", "it is gone", "other.png", {}}});
  const auto text = std::move(page).finish();
  EXPECT_THAT(text,
              AllOf(HasSubstr("<title>Quasar: test</title>"), HasSubstr("<h1>Test</h1>"),
                    HasSubstr("<h2>Scores</h2>\n<p>Three of them.</p>"),
                    HasSubstr("<th scope=\"col\" class=\"n\">value</th>"),
                    HasSubstr("<td>a</td><td class=\"n\">1</td><td class=\"long\">so</td>"),
                    HasSubstr("1,234,567"), HasSubstr("src=\"data:image/png;base64,Zm9v\""),
                    HasSubstr("score 0.5"), HasSubstr("<span class=\"none\">it is gone</span>other.png"),
                    HasSubstr("prefers-color-scheme: dark"), HasSubstr("width=device-width")));
}

TEST(Page, EscapesEveryText) {
  const std::string hostile = "<script>alert(1)</script>\"'&\x01";
  Page page(hostile, hostile);
  page.heading(3, hostile);
  page.paragraph(hostile);
  page.table({{{hostile}}, {{hostile}}});
  page.counts({{hostile, 1}});
  page.thumbnails(
      {{hostile, "foo", hostile, hostile, {hostile}}, {hostile, "", hostile, hostile, {hostile}}});
  const auto text = std::move(page).finish();
  EXPECT_THAT(text, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("\x01")),
                          HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\xEF\xBF\xBD")));
}

TEST(Page, NeedsNothingFromElsewhere) {
  Page page("a", "b");
  page.table({});
  const auto text = std::move(page).finish();
  for (const auto* word : {"src=", "href=", "http:", "https:", "url(", "<script", "@import"})
    EXPECT_THAT(text, Not(HasSubstr(word)));
}

}  // namespace
}  // namespace quasar::plot
