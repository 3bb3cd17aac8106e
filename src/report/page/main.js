// Puts the sections onto the page in the order in which a reader asks. SPDX-License-Identifier: Apache-2.0
function footer() {
  const license = document.getElementById('chart-license').textContent.trim();
  document.getElementById('foot').append(
    paragraph('Made by Thimble ' + (report.version || '') + '. This file holds all its data; it loads nothing.'),
    license ? el('details', {}, el('summary', {}, 'License of Chart.js'), el('pre', {class: 'license', tabindex: 0}, license)) : '');
}

function start() {
  document.title = report.name + ' - Thimble report';
  const makers = [stagesSection, frontSection, layersSection, weightsSection, arenaSection, flashSection, confusionSection,
    errorsSection, recipeSection];
  const nodes = makers.map(make => make()).filter(node => node);
  document.getElementById('main').append(headSection(), ...nodes);
  footer();
  startTheme();
}

start();
