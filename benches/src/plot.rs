//! Plots (SVG) from result files. Text is left to the viewer's fonts.
//!
//! - `ratios-ALLOCATOR.svg`: a bar a cell, best peer by ours, on a logarithmic scale, with marks for the floor and the aim.
//! - `zipf-ALLOCATOR.svg`: finds a second by threads, a panel a size.
//! - `latency-ALLOCATOR.svg`: the percentiles of single operations, a panel an event.
//! - `front-ALLOCATOR.svg`: two of these panels, for the README.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::PERCENTILES;
use crate::report::{self, Record};
use crate::table::{self, Line, Verdict};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

const FONT: &str = "sans-serif";

fn color(store: &str) -> RGBColor {
    match store {
        "fleeting" => RGBColor(214, 39, 40),
        "dashmap" => RGBColor(31, 119, 180),
        "papaya" => RGBColor(44, 160, 44),
        "scc" => RGBColor(148, 103, 189),
        "mutex" => RGBColor(127, 127, 127),
        "skiplist" => RGBColor(23, 190, 207),
        "moka" => RGBColor(140, 86, 75),
        "fibre_cache" => RGBColor(255, 127, 14),
        _ => RGBColor(188, 189, 34),
    }
}

/// Draws all that the results of some runs allow, ratios as the table has them, else medians; the files written.
pub fn draw(about: &[String], runs: &[Vec<Record>], folder: &Path) -> Result<Vec<PathBuf>, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut allocators: Vec<&str> = runs.iter().flatten().map(|record| record.allocator.as_str()).collect();
    allocators.sort_unstable();
    allocators.dedup();
    let mut written = Vec::new();
    for allocator in allocators {
        let of_run = |run: &Vec<Record>| run.iter().filter(|record| record.allocator == allocator).cloned().collect();
        let runs: Vec<Vec<Record>> = runs.iter().map(of_run).collect();
        let known = |name: &str| {
            let lines: Vec<&str> = about.iter().map(String::as_str).filter(|line| line.starts_with(name)).collect();
            lines.join(", ")
        };
        let caption = format!("{allocator}; {}; {}; {}", known("commit"), known("date"), known("machine"));
        type Plot = fn(&[Vec<Record>], &str, &Path) -> Result<bool, Box<dyn Error>>;
        let plots: [(&str, Plot); 4] = [("ratios", ratios), ("zipf", zipf), ("latency", latency), ("front", front)];
        for (name, plot) in plots {
            let path = folder.join(format!("{name}-{allocator}.svg"));
            if plot(&runs, &caption, &path).map_err(|error| format!("{}: {error}", path.display()))? {
                written.push(path);
            }
        }
    }
    Ok(written)
}

/// The cells that get a bar: what is compared with peers, without the percentiles that nothing is asked of.
fn barred(runs: &[Vec<Record>]) -> Vec<Line> {
    let is_percentile = |cell: &str| PERCENTILES.iter().any(|(name, _)| cell.ends_with(&format!(" {name}")));
    let mut lines = table::lines(runs);
    lines.retain(|line| {
        let has_goal = line.floor.or(line.aim).is_some();
        !line.against.starts_with("ours") && (has_goal || !is_percentile(&line.ours.cell))
    });
    lines
}

const BAR: i32 = 16;
const LEFT: i32 = 330;
const WIDTH: i32 = 900;
const TOP: i32 = 50;

fn ratios(runs: &[Vec<Record>], caption: &str, path: &Path) -> Result<bool, Box<dyn Error>> {
    let lines = barred(runs);
    if lines.is_empty() {
        return Ok(false);
    }
    let height = TOP + BAR * i32::try_from(lines.len())? + 30;
    let root = SVGBackend::new(path, (WIDTH.unsigned_abs() + 160, height.unsigned_abs())).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |area: &Area<'_>, text: &str, at: (i32, i32), size: i32| -> Drawn {
        Ok(area.draw(&Text::new(text.to_string(), at, (FONT, size)))?)
    };
    text(
        &root,
        "What we are compared with, by ours: right of 1 we are better. Thick mark: floor; thin mark: aim",
        (10, 8),
        15,
    )?;
    text(&root, caption, (10, 28), 11)?;
    // From an eighth to eight, logarithmic.
    let at = |score: f64| LEFT + (f64::from(WIDTH - LEFT) * ((score.clamp(0.125, 8.0).log2() + 3.0) / 6.0)) as i32;
    let bottom = height - 25;
    for tick in [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0] {
        let style = if tick == 1.0 { BLACK.stroke_width(1) } else { RGBColor(200, 200, 200).stroke_width(1) };
        root.draw(&PathElement::new(vec![(at(tick), TOP - 4), (at(tick), bottom)], style))?;
        text(&root, &tick.to_string(), (at(tick) - 6, bottom + 4), 11)?;
    }
    for (index, line) in lines.iter().enumerate() {
        let y = TOP + BAR * i32::try_from(index)?;
        let Record { workload, cell, entries, threads, .. } = &line.ours;
        let cell = if cell.starts_with(workload.as_str()) { cell.clone() } else { format!("{workload} {cell}") };
        text(&root, &format!("{cell}, {entries} entries, {threads} thr"), (10, y + 2), 11)?;
        let fill = match line.verdict() {
            Verdict::BelowFloor | Verdict::Lost => RGBColor(214, 39, 40),
            Verdict::BelowAim => RGBColor(255, 187, 120),
            Verdict::Reached => RGBColor(44, 160, 44),
        };
        root.draw(&Rectangle::new([(at(1.0), y + 3), (at(line.score), y + BAR - 3)], fill.filled()))?;
        for (limit, width) in [(line.floor, 2), (line.aim, 1)] {
            if let Some(limit) = limit {
                root.draw(&PathElement::new(vec![(at(limit), y), (at(limit), y + BAR)], BLACK.stroke_width(width)))?;
            }
        }
        text(&root, &format!("{:.2} {}", line.score, line.against), (WIDTH + 8, y + 2), 11)?;
    }
    root.present()?;
    Ok(true)
}

/// A store's name and its points, one for each label of the axis.
type Curve = (String, Vec<(f64, f64)>);

struct Panel {
    title: String,
    labels: Vec<String>,
    unit: &'static str,
    curves: Vec<Curve>,
}

impl Panel {
    /// Of a place on the axis; empty between the labels and beyond them.
    fn label(&self, x: f64) -> String {
        let is_at_one = (x - x.round()).abs() < 0.01;
        self.labels.get(x.round() as usize).filter(|_| is_at_one).cloned().unwrap_or_default()
    }
}

/// Panels in rows of two; y is logarithmic.
fn panels(panels: &[Panel], title: &str, caption: &str, path: &Path) -> Result<bool, Box<dyn Error>> {
    if panels.is_empty() {
        return Ok(false);
    }
    let rows = panels.len().div_ceil(2);
    let root = SVGBackend::new(path, (1000, 60 + 340 * u32::try_from(rows)?)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(title.to_string(), (10, 8), (FONT, 16)))?;
    root.draw(&Text::new(caption.to_string(), (10, 30), (FONT, 11)))?;
    let (_, below) = root.split_vertically(55);
    for (area, panel) in below.split_evenly((rows, 2)).iter().zip(panels) {
        let values = panel.curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.1));
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let last = (panel.labels.len() - 1) as f64;
        let mut chart = ChartBuilder::on(area)
            .caption(&panel.title, (FONT, 14))
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(64)
            // The room on the right is for the legend.
            .build_cartesian_2d(0.0..last.max(1.0) * 1.45, (low * 0.8..high * 1.25).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(panel.labels.len() + 2)
            .x_label_formatter(&|x| panel.label(*x))
            .y_desc(panel.unit)
            .y_label_formatter(&|y| if *y < 10.0 { format!("{y:.1}") } else { format!("{y:.0}") })
            .label_style((FONT, 11))
            .draw()?;
        for (store, points) in &panel.curves {
            let style = color(store).stroke_width(if store == "fleeting" { 3 } else { 1 });
            let legend = move |(x, y)| PathElement::new(vec![(x, y), (x + 14, y)], style);
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?.label(store.clone()).legend(legend);
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color(store).filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 11))
            .draw()?;
    }
    root.present()?;
    Ok(true)
}

/// The stores of some records, in order of appearance.
fn stores(records: &[&Record]) -> Vec<String> {
    let mut stores: Vec<String> = Vec::new();
    for record in records {
        if !stores.contains(&record.store) {
            stores.push(record.store.clone());
        }
    }
    stores
}

fn curves(records: &[&Record], x: impl Fn(&Record) -> Option<usize>, y: impl Fn(&Record) -> f64) -> Vec<Curve> {
    let curve = |store: String| {
        let of_store = records.iter().filter(|record| record.store == store);
        let mut points: Vec<(f64, f64)> = of_store.filter_map(|record| Some((x(record)? as f64, y(record)))).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        (store, points)
    };
    stores(records).into_iter().map(curve).collect()
}

fn zipf(runs: &[Vec<Record>], caption: &str, path: &Path) -> Result<bool, Box<dyn Error>> {
    panels(&zipf_panels(&report::merge(runs)), "Finds of skewed keys (Zipf 0.99), all threads together", caption, path)
}

fn zipf_panels(all: &[Record]) -> Vec<Panel> {
    let records: Vec<&Record> =
        all.iter().filter(|record| record.workload == "single" && record.cell == "zipf").collect();
    let sorted = |of: fn(&Record) -> usize| {
        let mut numbers: Vec<usize> = records.iter().map(|record| of(record)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let (sizes, threads) = (sorted(|record| record.entries), sorted(|record| record.threads));
    let panel = |entries: usize| {
        let records: Vec<&Record> = records.iter().copied().filter(|record| record.entries == entries).collect();
        let place = |record: &Record| threads.iter().position(|threads| *threads == record.threads);
        // Nanoseconds an operation and thread, to millions a second of all threads.
        let rate = |record: &Record| record.threads as f64 * 1e3 / record.median;
        Panel {
            title: format!("{entries} entries"),
            labels: threads.iter().map(|threads| format!("{threads} thr")).collect(),
            unit: "M finds / s",
            curves: curves(&records, place, rate),
        }
    };
    sizes.into_iter().map(panel).collect()
}

/// Workload, cell, and what it is.
type Event = (&'static str, &'static str, &'static str);

const STORM: Event = ("storm", "purge", "finds while ten in eleven sessions expire");

fn latency(runs: &[Vec<Record>], caption: &str, path: &Path) -> Result<bool, Box<dyn Error>> {
    let events = [
        ("storm", "idle", "finds, nothing happens"),
        STORM,
        ("grow", "grow", "inserts into a growing store"),
        ("grow", "refill", "inserts, no growth"),
        ("iterate", "find beside", "finds while all sessions are passed"),
        ("single", "zipf", "finds of skewed keys"),
    ];
    panels(&latency_panels(&report::merge(runs), &events), "Percentiles of single operations", caption, path)
}

/// The largest store under skewed finds, and the storm beside one reader.
fn front(runs: &[Vec<Record>], caption: &str, path: &Path) -> Result<bool, Box<dyn Error>> {
    let all = report::merge(runs);
    let skewed = zipf_panels(&all).into_iter().next_back();
    let skewed = skewed.map(|panel| Panel { title: format!("skewed finds (Zipf 0.99), {}", panel.title), ..panel });
    let storm = latency_panels(&all, &[STORM]).into_iter().next();
    let drawn: Vec<Panel> = skewed.into_iter().chain(storm).collect();
    panels(&drawn, "Throughput of all threads together, and the tail of single finds", caption, path)
}

fn latency_panels(all: &[Record], events: &[Event]) -> Vec<Panel> {
    let mut drawn = Vec::new();
    for &(workload, cell, title) in events {
        let place = |record: &Record| {
            let name = record.cell.strip_prefix(cell)?.strip_prefix(' ')?;
            PERCENTILES.iter().position(|percentile| percentile.0 == name)
        };
        let of_event: Vec<&Record> =
            all.iter().filter(|record| record.workload == workload && place(record).is_some()).collect();
        let Some(entries) = of_event.iter().map(|record| record.entries).max() else { continue };
        let mut threads: Vec<usize> = of_event.iter().map(|record| record.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        for threads in threads {
            let is_meant = |record: &&&Record| record.entries == entries && record.threads == threads;
            let records: Vec<&Record> = of_event.iter().filter(is_meant).copied().collect();
            drawn.push(Panel {
                title: format!("{title}: {entries} entries, {threads} thr"),
                labels: PERCENTILES.iter().map(|percentile| percentile.0.into()).collect(),
                unit: "ns",
                curves: curves(&records, place, |record| record.median),
            });
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Row, histogram, percentile_rows};

    #[test]
    fn all_plots_are_drawn_and_show_every_store() {
        let mut rows = Vec::new();
        for threads in [1, 2, 8] {
            let mut row = Row::new("single", "zipf", 1_000, threads, "ns");
            row.add_group(vec![("fleeting", vec![50.0]), ("papaya", vec![60.0]), ("moka", vec![500.0])]);
            rows.push(row);
        }
        let mut latencies = histogram();
        (1..1_000).for_each(|value| latencies += value);
        let stores = [("fleeting", vec![latencies.clone()]), ("dashmap", vec![latencies])];
        rows.extend(percentile_rows(&Row::new("storm", "purge", 1_000, 1, "ns"), &stores));
        let records: Vec<Record> = rows.iter().flat_map(report::records).collect();
        let folder = std::env::temp_dir().join(format!("fleeting-benches-plot-{}", std::process::id()));
        let written = draw(&["commit: abc".into()], &[records], &folder).unwrap();
        let texts: Vec<String> = written.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(texts.len(), 4);
        assert!(texts[3].contains("papaya") && texts[3].contains("dashmap") && texts[3].contains("abc"));
        assert!(texts.iter().all(|text| text.starts_with("<svg") && text.contains("abc")));
        assert!(["fleeting", "papaya", "moka"].iter().all(|store| texts[1].contains(store)));
        assert!(texts[2].contains("dashmap") && texts[2].contains("p99.9"));
        assert!(texts[0].contains("papaya"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let folder = std::env::temp_dir().join(format!("fleeting-benches-no-plot-{}", std::process::id()));
        assert_eq!(draw(&[], &[], &folder), Ok(vec![]));
        let _ = fs::remove_dir_all(&folder);
    }
}
