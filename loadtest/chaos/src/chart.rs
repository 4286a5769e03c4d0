//! Curves of memory for people: a small table, CSV, and a picture.

use std::fmt::Write as _;

use crate::memory::Curve;

/// Curves with their names.
pub(crate) type Curves<'a> = [(&'a str, &'a Curve)];

/// Lines of the table, at most.
const LINES: f64 = 12.0;
/// Marks of an axis, at most.
const MARKS: f64 = 8.0;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
/// Around the plot, for the axes' numbers and names.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 48.0;
const COLOURS: [&str; 3] = ["#1f77b4", "#d62728", "#2ca02c"];

/// A table of MiB over seconds.
pub(crate) fn table(curves: &Curves<'_>) -> Vec<String> {
    let head: String = curves.iter().map(|(name, _)| format!("  {name:>14}")).collect();
    let end = end(curves);
    let step = round_up(end / LINES);
    let cell = |curve: &Curve, seconds| curve.at(seconds).map_or("-".to_owned(), |mib| format!("{mib:.0} MiB"));
    let line = |seconds: f64| {
        let cells: String = curves.iter().map(|(_, curve)| format!("  {:>14}", cell(curve, seconds))).collect();
        format!("{seconds:>6.0} s{cells}")
    };
    let mut lines = vec![format!("{:8}{head}", "")];
    lines.extend(marks(step, end).map(line));
    let peaks: String = curves.iter().map(|(_, curve)| format!("  {:>10.0} MiB", curve.peak)).collect();
    lines.push(format!("{:>8}{peaks}", "peak"));
    lines
}

/// Every sample.
pub(crate) fn csv(curves: &Curves<'_>) -> String {
    let mut text = "job,seconds,rss_mib\n".to_owned();
    for (name, curve) in curves {
        for (seconds, mib) in &curve.samples {
            let _ = writeln!(text, "{name},{seconds:.1},{mib:.1}");
        }
    }
    text
}

/// A picture with a line for each curve and a dashed one for the bound.
pub(crate) fn svg(title: &str, bound: f64, curves: &Curves<'_>) -> String {
    let end = end(curves).max(1.0);
    let most = curves.iter().map(|(_, curve)| curve.peak).fold(bound, f64::max) * 1.05;
    let x = |seconds: f64| LEFT + seconds / end * (WIDTH - LEFT - RIGHT);
    let y = |mib: f64| HEIGHT - BOTTOM - mib / most * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for mib in marks(round_up(most / MARKS), most) {
        let (y, beside) = (y(mib), LEFT - 6.0);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#dddddd\"/>");
        let _ = writeln!(svg, "<text x=\"{beside}\" y=\"{:.1}\" text-anchor=\"end\">{mib}</text>", y + 4.0);
    }
    for seconds in marks(round_up(end / MARKS), end) {
        let (x, below) = (x(seconds), bottom + 16.0);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\">{seconds}</text>");
    }
    let _ = writeln!(svg, "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>");
    let (middle, lowest) = ((LEFT + right) / 2.0, HEIGHT - 12.0);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{lowest}\" text-anchor=\"middle\">seconds since the start</text>");
    let side = (TOP + bottom) / 2.0;
    let turned = format!("x=\"16\" y=\"{side}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {side})\"");
    let _ = writeln!(svg, "<text {turned}>resident memory, MiB</text>");
    let dashed = "stroke=\"#777777\" stroke-dasharray=\"6 4\"";
    let _ = writeln!(svg, "<path d=\"M{LEFT} {:.1}H{right}\" {dashed}/>", y(bound));
    let above = y(bound) - 5.0;
    let _ = writeln!(svg, "<text x=\"{right}\" y=\"{above:.1}\" text-anchor=\"end\">bound, {bound} MiB</text>");
    for (line, ((name, curve), colour)) in (0_u8..).zip(curves.iter().zip(COLOURS.iter().cycle())) {
        let points = curve.samples.iter().map(|(seconds, mib)| format!("{:.1},{:.1}", x(*seconds), y(*mib)));
        let points = points.collect::<Vec<_>>().join(" ");
        let _ = writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
        let (x, y) = (LEFT + 160.0, bottom - 28.0 + 16.0 * f64::from(line));
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{name}, peak {:.0} MiB</text>", curve.peak);
    }
    svg + "</svg>\n"
}

fn end(curves: &Curves<'_>) -> f64 {
    curves.iter().map(|(_, curve)| curve.end()).fold(0.0, f64::max)
}

fn marks(step: f64, end: f64) -> impl Iterator<Item = f64> {
    (0_u32..).map(move |mark| f64::from(mark) * step).take_while(move |mark| *mark <= end)
}

/// The next of 1, 2, 5, 10, 20, 50 and so on.
fn round_up(number: f64) -> f64 {
    let mut unit = 1.0;
    loop {
        if let Some(factor) = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * unit >= number) {
            return factor * unit;
        }
        unit *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([0.0, 1.2, 3.0, 7.0, 12.0, 400.0].map(round_up), [1.0, 2.0, 5.0, 10.0, 20.0, 500.0]);
    }

    #[test]
    fn each_curve_is_a_column_a_block_of_lines_and_a_line() {
        let long = Curve { samples: vec![(0.0, 10.0), (3.0, 300.0)], peak: 310.0 };
        let short = Curve { samples: vec![(0.0, 20.0)], peak: 20.0 };
        let curves = [("a", &long), ("b", &short)];
        let table = table(&curves);
        assert_eq!(table.len(), 6, "{table:?}");
        assert_eq!(table[4].split_whitespace().collect::<Vec<_>>(), ["3", "s", "300", "MiB", "-"]);
        assert!(table.iter().all(|line| line.len() == table[0].len()), "{table:?}");
        assert_eq!(csv(&curves), "job,seconds,rss_mib\na,0.0,10.0\na,3.0,300.0\nb,0.0,20.0\n");
        let svg = svg("a title", 200.0, &curves);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(
            svg.contains("a, peak 310 MiB") && svg.contains("bound, 200 MiB") && svg.contains("MiB</text>"),
            "{svg}"
        );
    }
}
