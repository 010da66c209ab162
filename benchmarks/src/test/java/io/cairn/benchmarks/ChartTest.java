// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.benchmarks.Chart.Bar;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** Bars are as long as their figures say. */
class ChartTest {

  private static final List<Bar> BARS =
      List.of(
          new Bar("half <of> it & more", 0.5, 0.9, "5 ms beside 10 ms"),
          new Bar("too much", 1.5, 1.25, "15 ms beside 10 ms"),
          new Bar("nothing wanted", 1, Double.NaN, "10 ms beside 10 ms"),
          new Bar("next to nothing", 0.00001, 0.01, "1 ns beside 0.1 ms"));

  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  private static List<Element> elements(Document svg, String tag, String classes) {
    NodeList all = svg.getElementsByTagName(tag);
    List<Element> found = new ArrayList<>();
    for (int i = 0; i < all.getLength(); i++) {
      Element element = (Element) all.item(i);
      if (element.getAttribute("class").matches(classes)) {
        found.add(element);
      }
    }
    return found;
  }

  private static double number(Element element, String attribute) {
    return Double.parseDouble(element.getAttribute(attribute));
  }

  @Test
  void shouldDrawBarsThatAreAsLongAsTheirRatios() throws Exception {
    Document svg = parsed(Chart.linear("what it is", "2026-11-22, 2 cores", BARS));
    List<Element> bars = elements(svg, "rect", "good|bad");
    assertEquals(
        List.of("good", "bad", "good", "good"),
        bars.stream().map(bar -> bar.getAttribute("class")).toList());
    double whole = number(bars.get(2), "width");
    assertEquals(0.5 * whole, number(bars.get(0), "width"), 0.1);
    assertEquals(1.5 * whole, number(bars.get(1), "width"), 0.1);
    assertTrue(number(bars.get(3), "width") >= 1, "it can be seen");
    double left = number(bars.get(0), "x");
    List<Element> goals = elements(svg, "line", "goal");
    assertEquals(3, goals.size());
    assertEquals(left + 0.9 * whole, number(goals.get(0), "x1"), 0.1);
    assertEquals(left + whole, number(elements(svg, "line", "even").get(0), "x1"), 0.1);
    // All is on the paper.
    double width = number(elements(svg, "rect", "paper").get(0), "width");
    assertTrue(bars.stream().allMatch(bar -> number(bar, "x") + number(bar, "width") < width));
  }

  @Test
  void shouldSayWhatTheBarsAre() throws Exception {
    String svg = Chart.linear("what it is", "2026-11-22, 2 cores", BARS);
    String text = parsed(svg).getDocumentElement().getTextContent();
    for (Bar bar : BARS) {
      assertTrue(text.contains(bar.label()), bar.label());
      assertTrue(text.contains("(" + bar.values() + ")"), bar.values());
    }
    assertTrue(text.contains("1.50x (15 ms beside 10 ms), goal 1.25x"), text);
    assertTrue(text.contains("2026-11-22, 2 cores"), text);
    assertTrue(svg.contains("prefers-color-scheme: dark"));
    assertEquals(svg, Chart.linear("what it is", "2026-11-22, 2 cores", BARS));
  }

  @Test
  void shouldDrawFromTheReferenceOnWhereTheAxisIsLogarithmic() throws Exception {
    List<Bar> given =
        List.of(
            new Bar("half", 0.5, Double.NaN, ""),
            new Bar("twice", 2, Double.NaN, ""),
            new Bar("eight times", 8, Double.NaN, ""));
    Document svg = parsed(Chart.logarithmic("stages", "", given));
    List<Element> bars = elements(svg, "rect", "good|bad");
    double even = number(elements(svg, "line", "even").get(0), "x1");
    double twice = number(bars.get(1), "width");
    assertEquals(even, number(bars.get(0), "x") + number(bars.get(0), "width"), 0.2);
    assertEquals(even, number(bars.get(1), "x"), 0.1);
    assertEquals(twice, number(bars.get(0), "width"), 0.2);
    assertEquals(3 * twice, number(bars.get(2), "width"), 0.2);
  }
}
